//! Values, as the server has them and as the store has them.

use keyturn_store::Value;
use keyturn_store::database::ValueRef;
use mysql::consts::ColumnType;
use mysql::{Column, Row};

/// A parameter.
pub(crate) fn bound(value: &ValueRef<'_>) -> mysql::Value {
    match *value {
        ValueRef::Null => mysql::Value::NULL,
        ValueRef::Integer(number) => mysql::Value::Int(number),
        ValueRef::Real(number) => mysql::Value::Double(number),
        ValueRef::Text(text) => mysql::Value::Bytes(text.as_bytes().to_owned()),
        ValueRef::Blob(bytes) => mysql::Value::Bytes(bytes.to_owned()),
    }
}

/// A row of an answer.
pub(crate) fn owned(row: Row) -> Vec<Value> {
    let columns = row.columns();
    row.unwrap().into_iter().zip(columns.iter()).map(|(value, column)| read(value, column)).collect()
}

/// The character set that is none.
const BINARY: u16 = 63;

fn read(value: mysql::Value, column: &Column) -> Value {
    match value {
        mysql::Value::NULL => Value::Null,
        mysql::Value::Int(number) => Value::Integer(number),
        mysql::Value::UInt(number) => {
            i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
        }
        mysql::Value::Float(number) => Value::Real(shortest(number)),
        mysql::Value::Double(number) => Value::Real(number),
        mysql::Value::Bytes(bytes) => match column.column_type() {
            ColumnType::MYSQL_TYPE_BIT => bits(&bytes),
            // Sums of whole numbers are of this type.
            ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => match text(bytes) {
                Value::Text(digits) => digits.parse().map_or(Value::Text(digits), Value::Integer),
                other => other,
            },
            _ if column.character_set() == BINARY => Value::Blob(bytes),
            _ => text(bytes),
        },
        mysql::Value::Date(year, month, day, hour, minute, second, micros) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            let only = matches!(column.column_type(), ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE);
            let time = if only {
                String::new()
            } else {
                format!(" {hour:02}:{minute:02}:{second:02}{}", fraction(micros, column))
            };
            Value::Text(date + &time)
        }
        mysql::Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if negative { "-" } else { "" };
            let hours = days * 24 + u32::from(hours);
            Value::Text(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(micros, column)))
        }
    }
}

fn text(bytes: Vec<u8>) -> Value {
    String::from_utf8(bytes).map_or_else(|bad| Value::Blob(bad.into_bytes()), Value::Text)
}

/// A BIT(1) is a truth to most.
fn bits(bytes: &[u8]) -> Value {
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
}

/// 0.1, and not what comes nearest to it among the doubles.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

/// As many digits as the column has.
fn fraction(micros: u32, column: &Column) -> String {
    let digits = usize::from(column.decimals().min(6));
    if digits == 0 { String::new() } else { format!(".{:.digits$}", format!("{micros:06}")) }
}
