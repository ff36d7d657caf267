use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Waker;

use tokio::io::ReadBuf;

use super::*;

const MIB: usize = 1024 * 1024;

/// A peer that has sent these pieces; then its socket is empty.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(piece) = self.0.front_mut() else { return Poll::Pending };
        let taken = piece.len().min(out.remaining());
        out.put_slice(&piece.drain(..taken).collect::<Vec<_>>());
        if piece.is_empty() {
            self.0.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// Reads until the pieces are used up and collects the frames.
fn collect(frames: &mut Frames, pieces: Vec<Vec<u8>>) -> Vec<Bytes> {
    let mut peer = Pieces(pieces.into());
    let mut collected = Vec::new();
    loop {
        match frames.poll_next(&mut context()).unwrap() {
            Progress::Frame(frame) => collected.push(frame.bytes),
            Progress::NeedsBudget => return collected,
            Progress::NeedsBytes { .. } => {
                if frames.poll_read(&mut peer, &mut context()).is_pending() {
                    return collected;
                }
            }
        }
    }
}

#[test]
fn many_small_frames_come_from_one_read() {
    let mut frames = Frames::new(Budget::new(MIB), 100 * MIB);
    let sent: Vec<u8> = [framed(b"one"), framed(b""), framed(b"three")].concat();
    assert_eq!(collect(&mut frames, vec![sent]), [&b"one"[..], b"", b"three"]);
    frames.release_if_idle();
    assert_eq!(frames.chunk.capacity(), 0);
}

#[test]
fn any_cut_gives_the_same_frames() {
    let bodies: Vec<Vec<u8>> = vec![b"a".to_vec(), vec![7; 70_000], b"z".to_vec(), vec![9; 3 * MIB]];
    let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
    for size in [1_000, 4_096, 65_536, 1_000_003] {
        let mut frames = Frames::new(Budget::new(16 * MIB), 100 * MIB);
        let pieces = stream.chunks(size).map(<[u8]>::to_vec).collect();
        assert_eq!(collect(&mut frames, pieces), bodies, "cut every {size} bytes");
    }
}

#[test]
fn a_bad_length_is_refused_before_its_body() {
    for announced in [-1, i32::MIN, 101] {
        let mut frames = Frames::new(Budget::new(MIB), 100);
        let mut peer = Pieces(vec![announced.to_be_bytes().to_vec()].into());
        assert!(frames.poll_read(&mut peer, &mut context()).is_ready());
        assert!(frames.poll_next(&mut context()).is_err(), "{announced} bytes");
    }
}

#[test]
fn announced_bytes_are_not_allocated() {
    let budget = Budget::new(MIB);
    let mut frames = Frames::new(budget.clone(), 100 * MIB);
    let announced = ((100 * MIB) as i32).to_be_bytes();
    assert!(collect(&mut frames, vec![announced.to_vec(), vec![0; 10]]).is_empty());
    assert!(frames.large.as_ref().unwrap().bytes.capacity() <= 2 * LARGE_BYTES_FIRST);
    assert_eq!(budget.used_bytes(), SMALL_FRAME_BYTES_MAX);
}

/// Where the bytes of the frames are that a peer sends, which reads as much at once as it may.
fn places(frames: &mut Frames, bodies: &[Vec<u8>]) -> Vec<Bytes> {
    collect(frames, bodies.iter().map(|body| framed(body)).collect())
}

#[test]
fn a_large_frame_like_the_last_is_received_where_it_stays() {
    let mut frames = Frames::new(Budget::new(16 * MIB), 100 * MIB);
    assert_eq!(places(&mut frames, &[vec![1; 100_000]]).len(), 1);
    let mut peer = Pieces(vec![framed(&[2; 100_000])].into());
    assert!(frames.poll_read(&mut peer, &mut context()).is_ready());
    let place = frames.chunk.as_ptr();
    let Progress::NeedsBytes { begun: true } = frames.poll_next(&mut context()).unwrap() else { panic!() };
    assert_eq!(frames.large.as_ref().unwrap().bytes.as_ptr(), place.wrapping_add(PREFIX_BYTES));
    assert_eq!(frames.chunk.capacity(), 0);
    let frame = loop {
        match frames.poll_next(&mut context()).unwrap() {
            Progress::Frame(frame) => break frame,
            _more => assert!(frames.poll_read(&mut peer, &mut context()).is_ready()),
        }
    };
    assert_eq!(frame.bytes, vec![2; 100_000]);
    assert_eq!(frame.bytes.as_ptr(), place.wrapping_add(PREFIX_BYTES));
}

#[test]
fn frames_keep_no_more_room_than_they_need() {
    let mut frames = Frames::new(Budget::new(16 * MIB), 100 * MIB);
    let much = EXPECTED_BYTES_MAX - PREFIX_BYTES;
    for (next, keeps_room) in
        [(much, true), (much / 2, true), (much / 3, true), (much + 1, false), (much, true)]
    {
        let bytes = places(&mut frames, &[vec![3; much], vec![4; next]]).pop().unwrap();
        assert_eq!(bytes, vec![4; next]);
        assert_eq!(frames.expected_bytes > 0, keeps_room, "{next}");
        let kept = BytesMut::from(bytes).capacity();
        assert!(kept <= 2 * next + PREFIX_BYTES, "{kept} bytes for {next}");
    }
    let small = places(&mut frames, &[vec![5; much], vec![6; 1_000], vec![7; 2_000]]).pop().unwrap();
    assert_eq!(small, vec![7; 2_000]);
    assert_eq!(frames.expected_bytes, 0);
    assert!(BytesMut::from(small).capacity() <= CHUNK_BYTES_MAX);
    frames.release_if_idle();
    assert_eq!(frames.chunk.capacity(), 0);
}
