//! Reads from a plain socket into several ranges of memory with one system call.

use socket2::SockRef;
use std::io::{self, IoSliceMut, Read};
use std::ops::Range;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Maximum number of ranges per read.
const MAX_SPACES: usize = 8;

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
                [const { None }; MAX_SPACES].map(|_: Option<()>| IoSliceMut::new(&mut []));
            let (used, room) = cut(memory, spaces, &mut slices);
            count = (&*SockRef::from(stream))
                .read_vectored(slices.get_mut(..used).unwrap_or_default())?;
            // A short read means that the socket is empty. Reporting it to the runtime avoids
            // another system call.
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

/// Cuts ranges out of memory. Returns their number and their total length.
fn cut<'m>(
    mut memory: &'m mut [u8],
    spaces: &[Range<usize>],
    slices: &mut [IoSliceMut<'m>],
) -> (usize, usize) {
    let mut at = 0;
    let mut used = 0;
    let mut room = 0;
    for (space, slice) in spaces.iter().zip(slices) {
        let Some(skip) = space.start.checked_sub(at) else {
            break;
        };
        let Some((_, rest)) = std::mem::take(&mut memory).split_at_mut_checked(skip) else {
            break;
        };
        let Some((piece, rest)) = rest.split_at_mut_checked(space.len()) else {
            break;
        };
        room += piece.len();
        *slice = IoSliceMut::new(piece);
        memory = rest;
        at = space.end;
        used += 1;
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
            gaps in proptest::collection::vec((0usize..9, 0usize..9), 0..MAX_SPACES),
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
            let mut slices = [const { None }; MAX_SPACES].map(|_: Option<()>| IoSliceMut::new(&mut []));
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
