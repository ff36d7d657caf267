//! The consumer protocol that is embedded in JoinGroup and SyncGroup (`ConsumerProtocolSubscription`,
//! `ConsumerProtocolAssignment`, versions 0 to 3).
//!
//! A newer version is read as the newest known one: versions only add fields.

use bytes::{BufMut, Bytes, BytesMut};

/// The newest version.
const VERSION_MAX: i16 = 3;

/// What a member wants and has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    pub topics: Vec<String>,
    /// Topic names and partitions, from version 1 on.
    pub owned: Vec<(String, Vec<i32>)>,
    /// From version 3 on.
    pub rack_id: Option<String>,
}

/// What a member was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub partitions: Vec<(String, Vec<i32>)>,
    /// A custom assignor's own bytes.
    pub has_user_data: bool,
}

/// The bytes are not the consumer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed embedded consumer protocol")]
pub(super) struct Malformed;

impl Subscription {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let version = reader.version()?;
        let mut subscription = Self::default();
        for _ in 0..reader.count(2)? {
            subscription.topics.push(reader.string()?.ok_or(Malformed)?);
        }
        reader.skip_bytes()?;
        if version >= 1 {
            subscription.owned = reader.partitions()?;
        }
        if version >= 2 {
            reader.take(4)?;
        }
        if version >= 3 {
            subscription.rack_id = reader.string()?.filter(|rack| !rack.is_empty());
        }
        Ok(subscription)
    }
}

impl Given {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        reader.version()?;
        let partitions = reader.partitions()?;
        Ok(Self { partitions, has_user_data: reader.skip_bytes()? > 0 })
    }
}

/// The version of embedded bytes, at most the newest known one.
pub(super) fn version(bytes: &[u8]) -> Result<i16, Malformed> {
    Reader(bytes).version()
}

/// An assignment without user data.
pub(super) fn encode_assignment(version: i16, partitions: &[(String, &[i32])]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    put_count(&mut bytes, partitions.len());
    for (topic, indexes) in partitions {
        bytes.put_u16(u16::try_from(topic.len()).unwrap_or(0));
        bytes.put_slice(topic.as_bytes());
        put_count(&mut bytes, indexes.len());
        indexes.iter().for_each(|index| bytes.put_i32(*index));
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

fn put_count(bytes: &mut BytesMut, count: usize) {
    bytes.put_i32(i32::try_from(count).unwrap_or(0));
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn version(&mut self) -> Result<i16, Malformed> {
        let version = self.i16()?;
        if version < 0 { Err(Malformed) } else { Ok(version.min(VERSION_MAX)) }
    }

    fn partitions(&mut self) -> Result<Vec<(String, Vec<i32>)>, Malformed> {
        let mut topics = Vec::new();
        for _ in 0..self.count(6)? {
            let topic = self.string()?.ok_or(Malformed)?;
            let mut partitions = Vec::new();
            for _ in 0..self.count(4)? {
                partitions.push(self.i32()?);
            }
            topics.push((topic, partitions));
        }
        Ok(topics)
    }

    /// The length of an array whose elements take at least `size` bytes each: never more than there can be.
    fn count(&mut self, size: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.i32()?).map_err(|_negative| Malformed)?;
        if count > self.0.len() / size { Err(Malformed) } else { Ok(count) }
    }

    fn string(&mut self) -> Result<Option<String>, Malformed> {
        let length = self.i16()?;
        if length == -1 {
            return Ok(None);
        }
        let bytes = self.take(usize::try_from(length).map_err(|_negative| Malformed)?)?;
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Nullable bytes; how many there were.
    fn skip_bytes(&mut self) -> Result<usize, Malformed> {
        match self.i32()? {
            -1 => Ok(0),
            length => Ok(self.take(usize::try_from(length).map_err(|_negative| Malformed)?)?.len()),
        }
    }

    fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into().map_err(|_length| Malformed)?))
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().map_err(|_length| Malformed)?))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, Malformed, Subscription, encode_assignment};

    #[test]
    fn an_assignment_comes_back() {
        let bytes = encode_assignment(1, &[("orders".to_owned(), &[0, 7]), ("b".to_owned(), &[])]);
        let given = Given::decode(&bytes).expect("well formed");
        let partitions = vec![("orders".to_owned(), vec![0, 7]), ("b".to_owned(), vec![])];
        assert_eq!(given, Given { partitions, has_user_data: false });
        for length in 0..bytes.len() {
            assert_eq!(Given::decode(&bytes[..length]), Err(Malformed));
        }
    }

    #[test]
    fn every_version_of_a_subscription_is_read() {
        let topics = [0, 0, 0, 1, 0, 1, b'a', 255, 255, 255, 255];
        let owned = [0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 5];
        let tail = [0, 0, 0, 9, 0, 2, b'r', b'1'];
        for version in 0..=4_u8 {
            let mut bytes = vec![0, version];
            bytes.extend(topics);
            bytes.extend(owned);
            bytes.extend(tail);
            let got = Subscription::decode(&bytes).expect("well formed");
            assert_eq!(got.topics, ["a"]);
            assert_eq!(got.owned.is_empty(), version == 0);
            assert_eq!(got.rack_id.is_some(), version >= 3);
        }
        assert_eq!(Subscription::decode(&[255, 255, 0, 0, 0, 0]), Err(Malformed));
        assert_eq!(
            Subscription::decode(&[0, 0, 127, 255, 255, 255]),
            Err(Malformed),
            "bounded by what is there"
        );
    }
}
