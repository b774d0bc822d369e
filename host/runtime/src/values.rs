//! JSON to WIT values and back, by the component's own types. Names are snake_case in JSON. 64-bit integers stay within
//! ±(2⁵³−1) (RFC 7493, section 2.2), and an integral float such as `5.0` is an integer. `list<u8>` is base64, an enum a string,
//! flags an array of strings, an option absent or null, a variant `{"kind": …, "value": …}`. Unknown and repeated members and
//! wrong types are refused by their path.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;
use zeroize::Zeroize as _;

/// The largest integer that every JSON reader keeps: 2⁵³ − 1.
pub const MAX_SAFE: i64 = (1 << 53) - 1;

/// An argument that doesn't fit its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct Misfit {
    /// Where: `arguments.account`, `arguments.items[3].name`.
    pub path: String,
    /// What: `must be a string`.
    pub problem: String,
}

/// Reads JSON, and refuses an object that names a member twice: one reader would take the first, another the last.
///
/// # Errors
/// What is wrong, with line and column.
pub fn read_json(text: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict::deserialize(&mut reader)?.0;
    reader.end()?;
    Ok(value)
}

/// JSON that may hold a secret: its texts are wiped when it is dropped.
pub struct Wiped(pub Value);

impl std::ops::Deref for Wiped {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe_json(&mut self.0);
    }
}

fn wipe_json(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe_json),
        Value::Object(members) => members.values_mut().for_each(wipe_json),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Wipes the texts of a guest's arguments.
pub fn wipe(values: &mut [Val]) {
    for value in values {
        match value {
            Val::String(text) => text.zeroize(),
            Val::List(items) | Val::Tuple(items) => wipe(items),
            Val::Record(fields) => fields.iter_mut().for_each(|(_, value)| wipe(std::slice::from_mut(value))),
            Val::Variant(_, Some(value)) | Val::Option(Some(value)) => wipe(std::slice::from_mut(value)),
            Val::Result(Ok(Some(value)) | Err(Some(value))) => wipe(std::slice::from_mut(value)),
            _ => {}
        }
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.contains_key(&name) {
                return Err(serde::de::Error::custom(format_args!("“{}” is there twice", name.escape_debug())));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Whether JSON can express values of this type; otherwise the reason why not.
pub fn servable(ty: &Type) -> Result<(), &'static str> {
    match ty {
        Type::List(list) => servable(&list.ty()),
        Type::Record(record) => record.fields().try_for_each(|field| servable(&field.ty)),
        Type::Tuple(tuple) => tuple.types().try_for_each(|ty| servable(&ty)),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).try_for_each(|ty| servable(&ty)),
        // JSON has one null, so an option of an option would be ambiguous.
        Type::Option(option) if matches!(option.ty(), Type::Option(_)) => Err("option<option<…>>"),
        Type::Option(option) => servable(&option.ty()),
        Type::Result(result) => result.ok().into_iter().chain(result.err()).try_for_each(|ty| servable(&ty)),
        Type::Own(_) | Type::Borrow(_) => Err("resource"),
        Type::Future(_) => Err("future"),
        Type::Stream(_) => Err("stream"),
        Type::ErrorContext => Err("error-context"),
        Type::Map(_) => Err("map"),
        Type::FixedLengthList(_) => Err("fixed-length list"),
        _ => Ok(()),
    }
}

/// `session-epoch` as JSON has it: `session_epoch`.
#[must_use]
pub fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// Arguments by name, in the order of the parameters.
///
/// # Errors
/// [`Misfit`], with the path.
pub fn arguments(json: &Value, parameters: &[(String, Type)]) -> Result<Vec<Val>, Misfit> {
    let fields = parameters.iter().map(|(name, ty)| (name.as_str(), ty.clone()));
    Ok(object(json, fields, "arguments")?.into_iter().map(|(_, value)| value).collect())
}

fn misfit(path: &str, problem: impl Into<String>) -> Misfit {
    Misfit { path: path.to_owned(), problem: problem.into() }
}

fn one_of<'a>(path: &str, names: impl Iterator<Item = &'a str>) -> Misfit {
    misfit(path, format!("must be one of {}", names.map(snake).collect::<Vec<_>>().join(", ")))
}

fn object<'a>(
    json: &Value,
    fields: impl Iterator<Item = (&'a str, Type)>,
    path: &str,
) -> Result<Vec<(String, Val)>, Misfit> {
    let object = json.as_object().ok_or_else(|| misfit(path, "must be an object"))?;
    let mut left: Vec<&String> = object.keys().collect();
    let mut values = Vec::new();
    for (name, ty) in fields {
        let key = snake(name);
        let path = format!("{path}.{key}");
        left.retain(|other| **other != key);
        let value = match object.get(&key) {
            Some(value) => from_json(value, &ty, &path)?,
            None if matches!(ty, Type::Option(_)) => Val::Option(None),
            None => return Err(misfit(&path, "is missing")),
        };
        values.push((name.to_owned(), value));
    }
    match left.first() {
        None => Ok(values),
        Some(unknown) => Err(misfit(&format!("{path}.{unknown}"), "is not known")),
    }
}

/// Several values of as many types.
fn each(items: &[Value], types: impl Iterator<Item = Type>, path: &str) -> Result<Vec<Val>, Misfit> {
    items.iter().zip(types).enumerate().map(|(i, (item, ty))| from_json(item, &ty, &format!("{path}[{i}]"))).collect()
}

fn integer(json: &Value, min: i64, max: i64, path: &str) -> Result<i64, Misfit> {
    let (min, max) = (min.max(-MAX_SAFE), max.min(MAX_SAFE));
    // Within ±(2⁵³−1), every integral float is exactly one integer.
    let integral = |float: &f64| float.fract() == 0.0 && float.abs() <= MAX_SAFE as f64;
    let value = json.as_i64().or_else(|| json.as_f64().filter(integral).map(|float| float as i64));
    let within = value.filter(|value| (min..=max).contains(value));
    within.ok_or_else(|| misfit(path, format!("must be an integer from {min} to {max}")))
}

/// One value of a type.
///
/// # Errors
/// [`Misfit`], with the path.
pub fn from_json(json: &Value, ty: &Type, path: &str) -> Result<Val, Misfit> {
    macro_rules! int {
        ($variant:ident, $rust:ty) => {
            Val::$variant(integer(json, i64::from(<$rust>::MIN), i64::from(<$rust>::MAX), path)? as $rust)
        };
    }
    let must = |problem: &str| misfit(path, problem);
    Ok(match ty {
        Type::Bool => Val::Bool(json.as_bool().ok_or_else(|| must("must be true or false"))?),
        Type::S8 => int!(S8, i8),
        Type::U8 => int!(U8, u8),
        Type::S16 => int!(S16, i16),
        Type::U16 => int!(U16, u16),
        Type::S32 => int!(S32, i32),
        Type::U32 => int!(U32, u32),
        Type::S64 => Val::S64(integer(json, -MAX_SAFE, MAX_SAFE, path)?),
        Type::U64 => Val::U64(integer(json, 0, MAX_SAFE, path)?.unsigned_abs()),
        Type::Float64 => Val::Float64(json.as_f64().ok_or_else(|| must("must be a number"))?),
        Type::Float32 => {
            // Beyond it there is only infinity, which JSON can't express.
            let float = json.as_f64().ok_or_else(|| must("must be a number"))?;
            let fits = float.abs() <= f64::from(f32::MAX);
            let beyond = || misfit(path, format!("must be a number within ±{:e}", f32::MAX));
            Val::Float32(fits.then_some(float as f32).ok_or_else(beyond)?)
        }
        Type::Char => {
            let mut chars = json.as_str().unwrap_or_default().chars();
            let one = chars.next().filter(|_| chars.next().is_none());
            Val::Char(one.ok_or_else(|| must("must be a string of one character"))?)
        }
        Type::String => Val::String(json.as_str().ok_or_else(|| must("must be a string"))?.to_owned()),
        Type::List(list) if matches!(list.ty(), Type::U8) => {
            let bytes = json.as_str().and_then(|text| BASE64.decode(text).ok());
            let bytes = bytes.ok_or_else(|| must("must be a string of base64"))?;
            Val::List(bytes.into_iter().map(Val::U8).collect())
        }
        Type::List(list) => {
            let items = json.as_array().ok_or_else(|| must("must be an array"))?;
            Val::List(each(items, std::iter::repeat(list.ty()), path)?)
        }
        Type::Record(record) => {
            let fields: Vec<_> = record.fields().map(|field| (field.name, field.ty)).collect();
            Val::Record(object(json, fields.into_iter(), path)?)
        }
        Type::Tuple(tuple) => {
            let (types, items) = (tuple.types(), json.as_array());
            let items = items.filter(|items| items.len() == types.len());
            let other = || misfit(path, format!("must be an array of {}", tuple.types().len()));
            Val::Tuple(each(items.ok_or_else(other)?, types, path)?)
        }
        Type::Variant(variant) => {
            let object = json.as_object().ok_or_else(|| must("must be an object with kind and value"))?;
            if let Some(unknown) = object.keys().find(|key| *key != "kind" && *key != "value") {
                return Err(misfit(&format!("{path}.{unknown}"), "is not known"));
            }
            let kind = object.get("kind").and_then(Value::as_str);
            let case = variant.cases().find(|case| Some(snake(case.name).as_str()) == kind);
            let other = || one_of(&format!("{path}.kind"), variant.cases().map(|case| case.name));
            let case = case.ok_or_else(other)?;
            let path = format!("{path}.value");
            let value = match (&case.ty, object.get("value")) {
                (Some(ty), Some(value)) => Some(Box::new(from_json(value, ty, &path)?)),
                (Some(Type::Option(_)), None) => Some(Box::new(Val::Option(None))),
                (Some(_), None) => return Err(misfit(&path, "is missing")),
                (None, None | Some(Value::Null)) => None,
                (None, Some(_)) => return Err(misfit(&path, "must be absent")),
            };
            Val::Variant(case.name.to_owned(), value)
        }
        Type::Enum(cases) => {
            let name = json.as_str().and_then(|text| cases.names().find(|name| snake(name) == text));
            Val::Enum(name.ok_or_else(|| one_of(path, cases.names()))?.to_owned())
        }
        Type::Flags(flags) => {
            let mut set = Vec::new();
            let items = json.as_array().ok_or_else(|| must("must be an array of strings"))?;
            for (i, item) in items.iter().enumerate() {
                let path = format!("{path}[{i}]");
                let name = item.as_str().and_then(|text| flags.names().find(|name| snake(name) == text));
                let name = name.ok_or_else(|| one_of(&path, flags.names()))?.to_owned();
                if set.contains(&name) {
                    return Err(misfit(&path, "stands twice"));
                }
                set.push(name);
            }
            Val::Flags(set)
        }
        Type::Option(option) => match json {
            Value::Null => Val::Option(None),
            value => Val::Option(Some(Box::new(from_json(value, &option.ty(), path)?))),
        },
        Type::Result(result) => {
            let side = |ty: Option<Type>, value: &Value, name: &str| match ty {
                Some(ty) => Ok(Some(Box::new(from_json(value, &ty, &format!("{path}.{name}"))?))),
                None if value.is_null() => Ok(None),
                None => Err(misfit(&format!("{path}.{name}"), "must be null")),
            };
            let object = json.as_object().filter(|object| object.len() == 1);
            match object.map(|object| (object.get("ok"), object.get("err"))) {
                Some((Some(value), _)) => Val::Result(Ok(side(result.ok(), value, "ok")?)),
                Some((_, Some(value))) => Val::Result(Err(side(result.err(), value, "err")?)),
                _ => return Err(must("must be an object with ok or err")),
            }
        }
        _ => return Err(must("has a type that can't be served")),
    })
}

/// Writes a link's absolute address, by page and token.
pub type Linked<'a> = dyn Fn(&str, &str) -> String + 'a;

/// A value of a type as JSON.
pub fn to_json(value: &Val, ty: &Type, link: &Linked<'_>) -> Value {
    let boxed = |value: &Option<Box<Val>>, ty: Option<Type>| match (value, ty) {
        (Some(value), Some(ty)) => to_json(value, &ty, link),
        _ => Value::Null,
    };
    match (value, ty) {
        (Val::Bool(value), _) => Value::Bool(*value),
        (Val::S8(value), _) => (*value).into(),
        (Val::U8(value), _) => (*value).into(),
        (Val::S16(value), _) => (*value).into(),
        (Val::U16(value), _) => (*value).into(),
        (Val::S32(value), _) => (*value).into(),
        (Val::U32(value), _) => (*value).into(),
        // Beyond what JSON readers keep, the nearest number that they do keep.
        (Val::S64(value), _) => (*value).clamp(-MAX_SAFE, MAX_SAFE).into(),
        (Val::U64(value), _) => (*value).min(MAX_SAFE.unsigned_abs()).into(),
        (Val::Float32(value), _) => f64::from(*value).into(),
        (Val::Float64(value), _) => (*value).into(),
        (Val::Char(value), _) => Value::String(value.to_string()),
        (Val::String(value), _) => Value::String(value.clone()),
        (Val::List(items), Type::List(list)) => match list.ty() {
            Type::U8 => {
                let bytes = items.iter().filter_map(|item| if let Val::U8(byte) = item { Some(*byte) } else { None });
                Value::String(BASE64.encode(bytes.collect::<Vec<u8>>()))
            }
            ty => items.iter().map(|item| to_json(item, &ty, link)).collect(),
        },
        (Val::Tuple(items), Type::Tuple(tuple)) => {
            items.iter().zip(tuple.types()).map(|(item, ty)| to_json(item, &ty, link)).collect()
        }
        (Val::Record(fields), Type::Record(record)) => match fields.as_slice() {
            // `keyturn:panel/types.link`, recognised by its shape, because the engine's types have no names.
            [(page_name, Val::String(page)), (token_name, Val::String(token))]
                if page_name == "page" && token_name == "token" =>
            {
                Value::String(link(page, token))
            }
            fields => {
                let typed = fields.iter().zip(record.fields());
                Value::Object(
                    typed.map(|((name, value), field)| (snake(name), to_json(value, &field.ty, link))).collect(),
                )
            }
        },
        (Val::Variant(kind, value), Type::Variant(variant)) => {
            let mut object = Map::from_iter([("kind".to_owned(), Value::String(snake(kind)))]);
            let ty = variant.cases().find(|case| case.name == kind).and_then(|case| case.ty);
            if value.is_some() {
                object.insert("value".to_owned(), boxed(value, ty));
            }
            Value::Object(object)
        }
        (Val::Enum(name), _) => Value::String(snake(name)),
        (Val::Flags(names), _) => names.iter().map(|name| Value::String(snake(name))).collect(),
        (Val::Option(value), Type::Option(option)) => boxed(value, Some(option.ty())),
        (Val::Result(Ok(value)), Type::Result(result)) => {
            Value::Object(Map::from_iter([("ok".to_owned(), boxed(value, result.ok()))]))
        }
        (Val::Result(Err(value)), Type::Result(result)) => {
            Value::Object(Map::from_iter([("err".to_owned(), boxed(value, result.err()))]))
        }
        // Refused at admission.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_arguments_is_wiped_however_deep_it_stands() {
        let text = || Val::String("copper lantern".to_owned());
        let mut values = [
            text(),
            Val::Option(Some(Box::new(text()))),
            Val::Variant("a".to_owned(), Some(Box::new(text()))),
            Val::List(vec![Val::Record(vec![("name".to_owned(), Val::Tuple(vec![text()]))])]),
        ];
        wipe(&mut values);
        assert!(!format!("{values:?}").contains("copper"), "{values:?}");
        let mut json = serde_json::json!({"new": "copper lantern", "more": [{"deep": "copper"}], "n": 1});
        wipe_json(&mut json);
        assert_eq!(json, serde_json::json!({"new": "", "more": [{"deep": ""}], "n": 1}));
    }
}
