//! The names of the fields that are told: each is among those that are taken from clients.

use super::*;
use crate::identity::assertion::tests::{key, signer};

#[test]
fn every_identity_field_is_removed_from_client_requests() {
    let huge = certificate("alice", |params| {
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 9999],
                vec![0; 20_000],
            ));
    });
    for chain in [vec![certificate("alice", |_| {}); 2], vec![huge; 2]] {
        for (name, _) in sent_headers(&ALL, &chain) {
            assert!(is_identity_field(&name), "{name}");
        }
    }
    for (name, _) in collected(&IdentityBlock::without_user(&ALL)) {
        assert!(is_identity_field(&name), "{name}");
    }
    assert!(is_identity_field("x-portcullis-assertion"));
}

/// So that no route can keep a client's.
#[test]
fn every_field_that_a_set_writes_is_among_the_written_ones() {
    let signer = signer(vec![key(&rcgen::PKCS_ED25519)]);
    let huge = certificate("alice", |params| {
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 9999],
                vec![0; 20_000],
            ));
    });
    for chain in [vec![certificate("alice", |_| {}); 2], vec![huge; 2]] {
        let (peer, user) = (read(&chain[0]), alice());
        let certificate = Some(VerifiedCertificate {
            peer: &peer,
            domain: "internal",
            chain: &chain,
        });
        let own_uri = Some("spiffe://us/gateway");
        let known = KnownClient {
            certificate,
            user: Some(&user),
            own_uri,
            forwarded_by: Some("edge"),
        };
        for (word, set) in IdentitySet::ALL {
            let selection = IdentitySelection {
                sets: vec![set],
                audience: "api".into(),
            };
            let written = collected(&IdentityBlock::new(
                &selection,
                &known,
                Some(&signer),
                1_000_000,
            ));
            assert!(!written.is_empty(), "{word}");
            for (name, _) in written {
                assert!(
                    WRITTEN_IDENTITY_FIELDS.contains(&name.as_str()),
                    "{name} of {word}"
                );
            }
        }
    }
    assert!(WRITTEN_IDENTITY_FIELDS.contains(&LEFT_OUT));
}
