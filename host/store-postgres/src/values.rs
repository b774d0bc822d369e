//! Values, on their way to the server and back. Parameters go as text, and the server takes them for what stands beside them: a
//! UUID, an enum, a date. Bytes go as bytes.

use bytes::{BufMut as _, BytesMut};
use keyturn_store::database::{Value, ValueRef};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// A value that cannot go one way or the other. The connection is as good as before.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(&'static str);

/// A parameter.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub ValueRef<'a>);

impl Parameter<'_> {
    /// The type that the server is told.
    pub fn declared(&self) -> Type {
        match self.0 {
            ValueRef::Blob(_) => Type::BYTEA,
            _ => Type::UNKNOWN,
        }
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            ValueRef::Null => return Ok(IsNull::Yes),
            ValueRef::Integer(number) => out.put_slice(number.to_string().as_bytes()),
            ValueRef::Real(number) => out.put_slice(number.to_string().as_bytes()),
            ValueRef::Text(text) if text.contains('\0') => return Err(Unfit("a NUL character can't be stored").into()),
            ValueRef::Text(text) => out.put_slice(text.as_bytes()),
            ValueRef::Blob(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self.0 {
            ValueRef::Blob(_) => Format::Binary,
            _ => Format::Text,
        }
    }

    to_sql_checked!();
}

/// A value of a column.
struct Read(Value);

impl<'a> FromSql<'a> for Read {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Read(match *kind {
            Type::BOOL => Value::Integer(bool::from_sql(kind, raw)?.into()),
            Type::INT2 => Value::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::OID => Value::Integer(u32::from_sql(kind, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT4 => Value::Real(f32::from_sql(kind, raw)?.into()),
            Type::FLOAT8 => Value::Real(f64::from_sql(kind, raw)?),
            Type::NUMERIC => Value::Integer(whole(raw).ok_or(Unfit("a number that is not whole, or beyond 64 bits"))?),
            Type::BYTEA => Value::Blob(raw.to_owned()),
            Type::UUID => Value::Text(uuid(raw)),
            _ => match std::str::from_utf8(raw) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => Value::Blob(raw.to_owned()),
            },
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Read(Value::Null))
    }

    /// Everything that is text on the wire, too: enums, `citext`. The mapping's other columns are read by a cast.
    fn accepts(kind: &Type) -> bool {
        let numbers =
            [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::OID, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC];
        let texts = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::CHAR, Type::UNKNOWN];
        numbers.contains(kind)
            || texts.contains(kind)
            || [Type::BYTEA, Type::UUID].contains(kind)
            || matches!(kind.kind(), Kind::Enum(_))
            || kind.name() == "citext"
    }
}

/// A `numeric` without places after the point, as sums of integers are: the number of its digits to the base 10,000, the power of
/// the first, sign, places, and the digits.
fn whole(raw: &[u8]) -> Option<i64> {
    let (head, digits) = raw.split_first_chunk::<8>()?;
    let word = |at: usize| i16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, negative) = (i32::from(word(2)), word(4) == 0x4000);
    let mut number = 0_i64;
    let mut digits = digits.chunks_exact(2).map(|digit| i64::from(i16::from_be_bytes([digit[0], digit[1]])));
    for _ in 0..=weight {
        number = number.checked_mul(10_000)?.checked_add(digits.next().unwrap_or(0))?;
    }
    (matches!(word(4), 0 | 0x4000) && digits.all(|digit| digit == 0)).then_some(if negative { -number } else { number })
}

fn uuid(raw: &[u8]) -> String {
    let digits = keyturn_core::seal::hex(raw);
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default()).join("-")
}

/// A row of an answer.
pub(super) fn copied(row: &tokio_postgres::Row) -> Result<Vec<Value>, tokio_postgres::Error> {
    (0..row.len()).map(|at| row.try_get::<_, Read>(at).map(|read| read.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_whole_numbers() {
        let numeric = |weight: i16, sign: i16, digits: &[i16]| {
            let head = [digits.len() as i16, weight, sign, 0];
            let bytes: Vec<u8> = head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect();
            whole(&bytes)
        };
        assert_eq!(numeric(0, 0, &[]), Some(0));
        assert_eq!(numeric(0, 0, &[42]), Some(42));
        assert_eq!(numeric(1, 0x4000, &[12, 345]), Some(-120_345));
        assert_eq!(numeric(2, 0, &[1]), Some(100_000_000));
        assert_eq!(numeric(0, 0, &[1, 5000]), None, "1.5");
        assert_eq!(numeric(4, 0, &[922, 3372, 368, 5477, 5807]), Some(i64::MAX));
        assert_eq!(numeric(4, 0, &[922, 3372, 368, 5477, 5808]), None);
    }
}
