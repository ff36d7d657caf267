//! Orders that the Java tools' output has because of the maps they keep: `String.hashCode` and `HashMap` are specified,
//! and scripts see the order that follows.

/// Java's `String.hashCode`.
pub fn hash_code(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Sorts as a `HashMap` iterates into which these were put one by one; `hash` is the key's `hashCode`.
pub fn hash_order<T>(items: Vec<T>, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let mut capacity = SMALLEST_TABLE;
    while items.len() * 4 > capacity * 3 {
        capacity *= 2;
    }
    in_table(items, capacity, hash)
}

/// The same for a map that was made for `expected` entries.
pub fn hash_order_sized<T>(items: Vec<T>, expected: usize, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let mut capacity = expected.max(1).next_power_of_two();
    while items.len() * 4 > capacity * 3 {
        capacity *= 2;
    }
    in_table(items, capacity, hash)
}

fn in_table<T>(mut items: Vec<T>, capacity: usize, hash: impl Fn(&T) -> i32) -> Vec<T> {
    // A bucket keeps the order of insertion, which a stable sort by bucket gives.
    items.sort_by_key(|item| {
        let hash = hash(item) as u32;
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    });
    items
}

/// `hashCode` of `TopicPartition` in Kafka's client.
pub fn topic_partition_hash(topic: &str, partition: i32) -> i32 {
    31_i32.wrapping_mul(31_i32.wrapping_add(partition)).wrapping_add(hash_code(topic))
}

/// Java's `Double.toString`.
pub fn double(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&size) || !number.is_finite() {
        return match number {
            _ if number.is_nan() => "NaN".to_owned(),
            _ if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            _ => format!("{number:?}"),
        };
    }
    let written = format!("{number:E}");
    match written.split_once('E') {
        Some((digits, power)) if !digits.contains('.') => format!("{digits}.0E{power}"),
        _ => written,
    }
}

const SMALLEST_TABLE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("Aa"), hash_code("BB"));
        assert_eq!(hash_code("hello"), 99_162_322);
    }

    #[test]
    fn doubles_are_javas() {
        for (number, text) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.001, "0.001"),
            (1234.5, "1234.5"),
            (1e7, "1.0E7"),
            (1.5e-4, "1.5E-4"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(number), text);
        }
    }

    #[test]
    fn a_table_is_walked_bucket_by_bucket() {
        let order = hash_order(vec!["c", "b", "a"], |text| hash_code(text));
        assert_eq!(order, ["a", "b", "c"]);
        let many: Vec<String> = (0..13).map(|n| n.to_string()).collect();
        // Thirteen entries make a table of 32: "10" has hash 1567, bucket 31; "0" has hash 48, bucket 16.
        let order = hash_order(many, |text| hash_code(text));
        assert_eq!(order.first().map(String::as_str), Some("11"));
        assert_eq!(order.last().map(String::as_str), Some("10"));
    }
}
