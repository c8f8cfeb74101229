//! One read of a plain socket into several ranges of memory.

use socket2::SockRef;
use std::io::{self, IoSliceMut, Read};
use std::ops::Range;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The most ranges that one read fills.
const MOST_SPACES: usize = 8;

pub(super) fn read_spaces(
    stream: &TcpStream,
    context: &mut Context<'_>,
    memory: &mut [u8],
    spaces: &[Range<usize>],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        let mut count = 0;
        let read = stream.try_io(Interest::READABLE, || {
            let mut slices =
                [const { None }; MOST_SPACES].map(|_: Option<()>| IoSliceMut::new(&mut []));
            let (used, room) = cut(memory, spaces, &mut slices);
            count = (&*SockRef::from(stream))
                .read_vectored(slices.get_mut(..used).unwrap_or_default())?;
            // A short read means that nothing is left: the runtime is told so, which saves asking the system again.
            if count > 0 && count < room {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        });
        match read {
            Ok(()) => return Poll::Ready(Ok(count)),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Poll::Ready(Err(error));
            }
            Err(_) if count > 0 => return Poll::Ready(Ok(count)),
            Err(_) => {}
        }
    }
}

/// Cuts ranges out of memory. Gives how many there are, and how long they are together.
fn cut<'m>(
    mut memory: &'m mut [u8],
    spaces: &[Range<usize>],
    slices: &mut [IoSliceMut<'m>],
) -> (usize, usize) {
    let (mut at, mut used, mut room) = (0, 0, 0);
    for (space, slice) in spaces.iter().zip(slices) {
        let (Some(skip), rest) = (space.start.checked_sub(at), std::mem::take(&mut memory)) else {
            break;
        };
        let Some((_, rest)) = rest.split_at_mut_checked(skip) else {
            break;
        };
        let Some((piece, rest)) = rest.split_at_mut_checked(space.len()) else {
            break;
        };
        room += piece.len();
        *slice = IoSliceMut::new(piece);
        (memory, at, used) = (rest, space.end, used + 1);
    }
    (used, room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_cut_out_of_memory_is_what_was_asked_for(
            gaps in proptest::collection::vec((0usize..9, 0usize..9), 0..MOST_SPACES),
            length in 0usize..200,
        ) {
            let mut at = 0;
            let spaces: Vec<_> = gaps.iter().map(|(gap, length)| {
                let space = at + gap..at + gap + length;
                at = space.end;
                space
            }).collect();
            let mut memory: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let copy = memory.clone();
            let mut slices = [const { None }; MOST_SPACES].map(|_: Option<()>| IoSliceMut::new(&mut []));
            let (used, room) = cut(&mut memory, &spaces, &mut slices);
            let fitting: Vec<_> = spaces.iter().take_while(|space| space.end <= length).collect();
            prop_assert_eq!(used, fitting.len());
            prop_assert_eq!(room, fitting.iter().map(|space| space.len()).sum::<usize>());
            for (slice, space) in slices.iter().zip(fitting) {
                prop_assert_eq!(&slice[..], &copy[space.clone()]);
            }
        }
    }
}
