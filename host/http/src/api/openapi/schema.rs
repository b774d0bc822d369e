//! JSON Schemas (2020-12) of a component's types, as [`keyturn_runtime::values`] reads and writes them. The component says what
//! a type is. The docs say its name and meaning, as far as they match.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use wasmtime::component::types::Type;

use keyturn_package::docs::{Docs, Said, TypeDocs};
use keyturn_runtime::values::{MAX_SAFE, snake};

/// The most aliases that are followed: docs come from a stranger and may run in circles.
const ALIASES: usize = 8;

/// The direction of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Into the hook.
    Asked,
    /// Out of it.
    Answered,
}

/// `session-epoch` as a schema's name: `SessionEpoch`.
fn pascal(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    parts.collect::<String>().chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Collects named schemas on the way.
pub(super) struct Schemas {
    /// The names of types in the document: their own name, or the full one if two plugins have it.
    names: BTreeMap<String, String>,
    components: Map<String, Value>,
}

impl Schemas {
    pub(super) fn of<'a>(docs: impl Iterator<Item = &'a Docs>) -> Self {
        let keys: BTreeSet<&str> = docs.flat_map(|docs| docs.types.keys()).map(String::as_str).collect();
        let short = |key: &str| pascal(key.rsplit_once('.').map_or(key, |(_, name)| name));
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        keys.iter().for_each(|key| *count.entry(short(key)).or_default() += 1);
        let whole = |key: &str| key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
        let name = |key: &str| if count.get(&short(key)) == Some(&1) { short(key) } else { whole(key) };
        let names = keys.into_iter().map(|key| (key.to_owned(), name(key))).collect();
        Self { names, components: Map::new() }
    }

    /// All named schemas so far.
    pub(super) fn done(mut self) -> Map<String, Value> {
        self.components.sort_keys();
        self.components
    }

    /// The schema of one type.
    pub(super) fn schema(&mut self, ty: &Type, said: &Said, docs: &Docs, way: Way) -> Value {
        let Said::Named(key) = said else { return self.plain(ty, said, &TypeDocs::default(), docs, way) };
        let found = resolve(key, docs).filter(|(_, (_, behind))| fits(ty, behind));
        let Some((named, (parts, behind))) = found else {
            return self.plain(ty, &Said::Plain, &TypeDocs::default(), docs, way);
        };
        let schema = described(self.plain(ty, parts, behind, docs, way), &named.docs);
        let name = self.names.get(key).cloned().unwrap_or_default();
        let other = format!("{name}{way:?}");
        // A type may look different on its way out: a link is its address there.
        for name in [name, other] {
            let present = self.components.entry(name.clone()).or_insert_with(|| schema.clone());
            if *present == schema {
                return json!({ "$ref": format!("#/components/schemas/{name}") });
            }
        }
        schema
    }

    /// Its fields as an object.
    pub(super) fn object<'b>(
        &mut self,
        fields: impl Iterator<Item = (&'b str, Type, &'b Said, &'b str)>,
        docs: &Docs,
        way: Way,
    ) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, ty, said, text) in fields {
            let schema = described(self.schema(&ty, said, docs, way), text);
            // An answer has all fields; a request may leave out options.
            if way == Way::Answered || !matches!(ty, Type::Option(_)) {
                required.push(snake(name));
            }
            properties.insert(snake(name), schema);
        }
        closed(properties, required)
    }

    fn plain(&mut self, ty: &Type, said: &Said, named: &TypeDocs, docs: &Docs, way: Way) -> Value {
        let member = |name: &str| named.members.iter().find(|member| member.name == name);
        let of = |name: &str| member(name).map_or(&Said::Plain, |member| &member.of);
        let text = |name: &str| member(name).map_or("", |member| member.docs.as_str());
        let int = |min: i64, max: i64| json!({ "type": "integer", "minimum": min, "maximum": max });
        match ty {
            Type::Bool => json!({ "type": "boolean" }),
            Type::S8 => int(i8::MIN.into(), i8::MAX.into()),
            Type::U8 => int(0, u8::MAX.into()),
            Type::S16 => int(i16::MIN.into(), i16::MAX.into()),
            Type::U16 => int(0, u16::MAX.into()),
            Type::S32 => int(i32::MIN.into(), i32::MAX.into()),
            Type::U32 => int(0, u32::MAX.into()),
            Type::S64 => int(-MAX_SAFE, MAX_SAFE),
            Type::U64 => int(0, MAX_SAFE),
            // JSON can't express infinity or NaN.
            Type::Float32 | Type::Float64 if way == Way::Answered => json!({ "type": ["number", "null"] }),
            Type::Float32 => {
                json!({ "type": "number", "minimum": f64::from(f32::MIN), "maximum": f64::from(f32::MAX) })
            }
            Type::Float64 => json!({ "type": "number" }),
            Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Type::String => json!({ "type": "string" }),
            Type::List(list) if matches!(list.ty(), Type::U8) => json!({
                "type": "string",
                "contentEncoding": "base64",
                "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
            }),
            Type::List(list) => {
                json!({ "type": "array", "items": self.schema(&list.ty(), said.part(0), docs, way) })
            }
            Type::Record(record) => {
                let fields: Vec<(&str, Type)> = record.fields().map(|field| (field.name, field.ty)).collect();
                let is_link = fields.iter().map(|(name, _)| *name).eq(["page", "token"])
                    && fields.iter().all(|(_, ty)| matches!(ty, Type::String));
                if is_link && way == Way::Answered {
                    return json!({ "type": "string", "format": "uri" });
                }
                self.object(fields.into_iter().map(|(name, ty)| (name, ty, of(name), text(name))), docs, way)
            }
            Type::Tuple(tuple) => {
                let items: Vec<Value> =
                    tuple.types().enumerate().map(|(at, ty)| self.schema(&ty, said.part(at), docs, way)).collect();
                let count = items.len();
                json!({ "type": "array", "prefixItems": items, "minItems": count, "maxItems": count })
            }
            Type::Variant(variant) => {
                let cases = variant.cases().map(|case| {
                    let kind = json!({ "const": snake(case.name) });
                    let (value, needed) = match &case.ty {
                        Some(ty) => {
                            let optional = matches!(ty, Type::Option(_)) && way == Way::Asked;
                            (Some(self.schema(ty, of(case.name), docs, way)), !optional)
                        }
                        None if way == Way::Asked => (Some(json!({ "type": "null" })), false),
                        None => (None, false),
                    };
                    let mut properties = Map::from_iter([("kind".to_owned(), kind)]);
                    properties.extend(value.map(|value| ("value".to_owned(), value)));
                    let required = if needed { vec!["kind", "value"] } else { vec!["kind"] };
                    described(closed(properties, required), text(case.name))
                });
                json!({ "oneOf": cases.collect::<Vec<_>>() })
            }
            Type::Enum(cases) => {
                let names: Vec<String> = cases.names().map(snake).collect();
                let words: Vec<String> = cases
                    .names()
                    .filter(|name| !text(name).is_empty())
                    .map(|name| format!("- `{}`: {}", snake(name), text(name)))
                    .collect();
                let mut schema = json!({ "type": "string", "enum": names });
                if !words.is_empty() {
                    schema["description"] = words.join("\n").into();
                }
                schema
            }
            Type::Flags(flags) => {
                let names: Vec<String> = flags.names().map(snake).collect();
                json!({ "type": "array", "items": { "type": "string", "enum": names }, "uniqueItems": true })
            }
            Type::Option(option) => {
                json!({ "anyOf": [self.schema(&option.ty(), said.part(0), docs, way), { "type": "null" }] })
            }
            Type::Result(result) => {
                let mut side = |name: &str, ty: Option<Type>, said: &Said| {
                    let value = ty.map_or_else(|| json!({ "type": "null" }), |ty| self.schema(&ty, said, docs, way));
                    closed(Map::from_iter([(name.to_owned(), value)]), vec![name])
                };
                let (ok, err) = (side("ok", result.ok(), said.part(0)), side("err", result.err(), said.part(1)));
                json!({ "oneOf": [ok, err] })
            }
            // Refused at admission.
            _ => Value::Bool(false),
        }
    }
}

/// An object with these members and no others.
fn closed(properties: Map<String, Value>, required: Vec<impl Serialize>) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

type Resolved<'a> = (&'a TypeDocs, (&'a Said, &'a TypeDocs));

/// The type of a name, the names of its parts, and its members.
fn resolve<'a>(key: &str, docs: &'a Docs) -> Option<Resolved<'a>> {
    let named = docs.types.get(key)?;
    let mut behind = named;
    for _ in 0..ALIASES {
        match &behind.alias {
            Said::Named(key) => behind = docs.types.get(key)?,
            parts => return Some((named, (parts, behind))),
        }
    }
    None
}

/// Whether the docs' members match the type's, in name and order.
fn fits(ty: &Type, docs: &TypeDocs) -> bool {
    let said = || docs.members.iter().map(|member| member.name.as_str());
    match ty {
        Type::Record(record) => record.fields().map(|field| field.name).eq(said()),
        Type::Variant(variant) => variant.cases().map(|case| case.name).eq(said()),
        Type::Enum(cases) => cases.names().eq(said()),
        Type::Flags(flags) => flags.names().eq(said()),
        _ => docs.members.is_empty(),
    }
}

/// Adds the docs of the field or case; the type's own docs stay with the type.
fn described(schema: Value, text: &str) -> Value {
    match schema {
        Value::Object(mut schema) if !text.is_empty() => {
            schema.insert("description".to_owned(), text.into());
            Value::Object(schema)
        }
        schema => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyturn_package::docs::MemberDocs;

    fn named(keys: &[&str]) -> Docs {
        Docs { types: keys.iter().map(|key| ((*key).to_owned(), TypeDocs::default())).collect(), ..Docs::default() }
    }

    #[test]
    fn a_name_that_two_have_is_written_whole() {
        let (one, other) = (named(&["a:b/c@1.0.0.good-link", "a:b/c@1.0.0.mode"]), named(&["x:y/z.mode"]));
        let names = Schemas::of([&one, &other].into_iter()).names;
        assert_eq!(names["a:b/c@1.0.0.good-link"], "GoodLink");
        assert_eq!(names["a:b/c@1.0.0.mode"], "a.b.c.1.0.0.mode");
        assert_eq!(names["x:y/z.mode"], "x.y.z.mode");
    }

    #[test]
    fn docs_that_lie_or_run_in_circles_name_nothing() {
        let circle = |to: &str| TypeDocs { alias: Said::Named(to.to_owned()), ..TypeDocs::default() };
        let mut docs = Docs::default();
        docs.types.insert("a.x".to_owned(), circle("a.y"));
        docs.types.insert("a.y".to_owned(), circle("a.x"));
        let members = vec![MemberDocs { name: "lie".to_owned(), ..MemberDocs::default() }];
        docs.types.insert("a.z".to_owned(), TypeDocs { members, ..TypeDocs::default() });
        let mut schemas = Schemas::of([&docs].into_iter());
        for key in ["a.x", "a.z", "a.missing"] {
            let schema = schemas.schema(&Type::String, &Said::Named(key.to_owned()), &docs, Way::Asked);
            assert_eq!(schema, json!({ "type": "string" }), "{key}");
        }
        assert!(schemas.done().is_empty());
    }
}
