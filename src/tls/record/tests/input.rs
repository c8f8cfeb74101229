//! The arithmetic of inputs, against a model of plain vectors.

use super::cases;
use crate::tls::record::{RECORD_WIRE, ReceiveBuffer, Slab};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::IoSlice;

/// What is done to an input.
#[derive(Clone, Debug)]
enum Step {
    /// Plaintext is appended, as rustls gives it.
    Plain(usize),
    /// A record is received in pieces.
    Receive {
        plaintext: usize,
        first_piece: usize,
    },
    /// The first record that is whole is opened.
    Open,
    Join,
    Consume(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..5_usize, 0..300_usize, 0..16385_usize];
    prop_oneof![
        2 => length.clone().prop_map(Step::Plain),
        4 => (length.clone(), 0..16406_usize)
            .prop_map(|(plaintext, first_piece)| Step::Receive { plaintext, first_piece }),
        6 => Just(Step::Open),
        2 => Just(Step::Join),
        4 => length.prop_map(Step::Consume),
    ]
}

/// What must be there.
#[derive(Default)]
struct Model {
    plaintext: VecDeque<u8>,
    /// Lengths of plaintext in records not opened.
    sealed: VecDeque<usize>,
    next: u8,
}

impl Model {
    fn make(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| {
                self.next = self.next.wrapping_add(1);
                self.next
            })
            .collect()
    }
}

fn append(input: &mut ReceiveBuffer, bytes: &[u8]) {
    input.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    input.add_sealed(bytes.len());
}

fn run(input: &mut ReceiveBuffer, model: &mut Model, step: &Step) {
    match *step {
        // The two backends do not mix.
        Step::Plain(length) if model.sealed.is_empty() && !input.is_full() => {
            assert!(input.has_room_for_record(), "one that is not full");
            let bytes = model.make(length);
            assert!(input.append(&bytes));
            model.plaintext.extend(bytes);
        }
        Step::Receive {
            plaintext,
            first_piece,
        } if model.sealed.len() < 2 && !input.is_full() => {
            let content = model.make(plaintext);
            let record = [&[255; 5][..], &content, &[254; 17]].concat();
            let (first, second) = record.split_at(first_piece.min(record.len()));
            append(input, first);
            if second.len() <= RECORD_WIRE {
                append(input, second);
            }
            model.sealed.push_back(plaintext);
        }
        Step::Open if !input.is_full() => {
            let Some(length) = model.sealed.pop_front() else {
                return;
            };
            let content = input.sealed()[5..5 + length].to_vec();
            input.open(5 + length + 17, 5..5 + length);
            model.plaintext.extend(content);
        }
        Step::Join => {
            input.join();
        }
        Step::Consume(bytes) => {
            input.consume(bytes);
            model.plaintext.drain(..bytes.min(model.plaintext.len()));
        }
        _ => {}
    }
}

fn check(input: &ReceiveBuffer, model: &Model) {
    assert_eq!(input.len(), model.plaintext.len());
    assert_eq!(input.is_empty(), model.plaintext.is_empty());
    assert_eq!(input.first().is_empty(), input.is_empty());
    for most in [0, 1, 17, 16384, u64::MAX] {
        let mut slices = [IoSlice::new(&[]); ReceiveBuffer::SEGMENTS];
        let count = input.slices(most, &mut slices);
        let found: Vec<u8> = slices[..count]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect();
        let length = model.plaintext.len().min(usize::try_from(most).unwrap());
        assert!(found.iter().eq(model.plaintext.iter().take(length)));
    }
    if input.is_empty() && model.sealed.is_empty() {
        assert!(
            format!("{input:?}").contains("slab: None"),
            "nothing is held for nothing"
        );
    }
}

#[test]
fn an_input_holds_what_its_model_holds() {
    proptest!(cases(60), |(steps in proptest::collection::vec(step(), 1..60))| {
        let (mut input, mut model) = (ReceiveBuffer::new(), Model::default());
        for step in &steps {
            run(&mut input, &mut model, step);
            check(&input, &model);
        }
    });
}

#[test]
fn a_head_in_many_small_records_becomes_one_piece() {
    let mut input = ReceiveBuffer::new();
    let mut expected = Vec::new();
    for at in 0..5000_usize {
        let byte = u8::try_from(at % 256).unwrap();
        append(&mut input, &[&[0; 5][..], &[byte], &[0; 17]].concat());
        input.open(23, 5..6);
        expected.push(byte);
        if input.is_full() || at % 3 == 0 {
            while input.join() {}
        }
        assert_eq!(input.len(), expected.len());
    }
    while input.join() {}
    assert_eq!(input.first(), expected);
    assert!(!input.is_full());
}

#[test]
fn an_input_is_full_when_no_record_fits() {
    let mut input = ReceiveBuffer::new();
    let mut received = 0;
    while !input.is_full() {
        let content = vec![1; 16384];
        append(&mut input, &[&[0; 5][..], &content, &[0; 17]].concat());
        input.open(16406, 5..16389);
        received += 16384;
    }
    assert_eq!(
        received,
        4 * 16384,
        "as many full records as a slab is made for"
    );
    input.consume(16384 + 1);
    assert!(!input.is_full());
    assert!(input.room(RECORD_WIRE).len() >= RECORD_WIRE);
    input.consume(usize::MAX);
    assert!(input.room(0).len() == Slab::SIZE);
}

#[test]
fn a_record_keeps_its_room_while_it_arrives() {
    let mut input = ReceiveBuffer::new();
    let record = [&[23, 3, 3, 64, 17][..], &[1; 16384], &[0; 17]].concat();
    for _ in 0..3 {
        append(&mut input, &record);
        input.open(record.len(), 5..16389);
    }
    for piece in record.chunks(1000) {
        assert!(!input.is_full(), "its rest has room");
        append(&mut input, piece);
    }
    assert!(!input.is_full(), "it can be decrypted");
    input.open(record.len(), 5..16389);
    assert!(input.is_full());
}

#[test]
fn nothing_is_moved_for_the_room_of_a_head() {
    let mut input = ReceiveBuffer::new();
    let most = vec![1; 16384];
    for _ in 0..4 {
        assert!(input.has_room_for_record());
        assert!(input.append(&most));
    }
    assert!(!input.has_room_for_record());
    input.consume(80);
    let before = crate::tls::record::take_copied_bytes();
    assert!(!input.has_room_for_record() && input.is_full());
    assert_eq!(
        crate::tls::record::take_copied_bytes(),
        0,
        "{before} before"
    );
    input.consume(RECORD_WIRE);
    assert!(
        input.has_room_for_record(),
        "a record's worth is made use of"
    );
    assert!(input.append(&most));
    assert_eq!(
        crate::tls::record::take_copied_bytes(),
        4 * 16384 - RECORD_WIRE as u64 - 80
    );
    assert_eq!(input.len(), 5 * 16384 - RECORD_WIRE - 80);
}
