//! Certificates that expire, and users whose time is over, while something is open by them.

use super::*;
use crate::support::pki::Kind;
use std::sync::mpsc::channel;

#[test]
fn what_is_open_ends_with_its_certificate() {
    what_is_open_ends_as_time_passes("expired", Kind::ExpiresIn(4), alice);
}

#[test]
fn what_is_open_ends_with_the_time_of_its_user() {
    what_is_open_ends_as_time_passes("user_disabled", Kind::Client, || {
        let then = time::OffsetDateTime::now_utc() + time::Duration::seconds(8);
        let until = then
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap();
        alice() + &format!("enabled_until = \"{until}\"\n")
    });
}

/// Alice, who comes with such a certificate, is cut off for this reason. Bob goes on.
fn what_is_open_ends_as_time_passes(reason: &str, kind: Kind, alice: impl Fn() -> String) {
    for lines in RECORD_LAYERS {
        let (pki, pulse) = (Pki::new(), Pulse::start());
        let gateway = Gateway::start(&config(&pki, &pulse, lines, &(alice() + &bob())));
        let expiring = Client::new(&pki, Some(&pki.of_kind("alice", kind)), gateway.address());
        let lasting = client(&pki, "bob", &gateway);
        std::thread::scope(|scope| {
            let (begun, has_begun) = channel();
            let follow_by = |open, client| {
                let begun = begun.clone();
                scope.spawn(move || follow(open, client, move || begun.send(()).unwrap()))
            };
            let alices = STREAMS.map(|open| (open, follow_by(open, &expiring)));
            let bobs = STREAMS.map(|open| (open, follow_by(open, &lasting)));
            (0..alices.len() + bobs.len()).for_each(|_| has_begun.recv().unwrap());
            for (open, followed) in alices {
                let ended = followed.join().unwrap();
                nothing_is_missing(ended.text.rsplit_once('\n').map_or("", |(whole, _)| whole));
                assert!(!ended.clean || open == Open::WebSocket, "{open:?}");
            }
            pulse.wait_until_left(STREAMS.len());
            bobs.iter()
                .for_each(|(open, followed)| assert!(!followed.is_finished(), "{open:?}"));
            pulse.finish();
            for (open, followed) in bobs {
                let ended = followed.join().unwrap();
                assert!(ended.clean, "{open:?}");
                nothing_is_missing(&ended.text);
            }
        });
        for (kind, count) in [("tunnel", 1.0), ("stream", 2.0)] {
            let labels = [("kind", kind), ("reason", reason)];
            eventually("the metric", || {
                (gateway.metric("portcullis_cut_total", &labels) == count).then_some(())
            });
        }
        let cut = || {
            gateway
                .access_log()
                .into_iter()
                .filter(|line| line.get("cut").is_some())
                .collect::<Vec<_>>()
        };
        let cut = eventually("their lines", || {
            Some(cut()).filter(|lines| lines.len() == STREAMS.len())
        });
        assert!(
            cut.iter()
                .all(|line| line["reason"] == reason && line["user"] == "alice"),
            "{cut:?}"
        );
    }
}

#[test]
fn what_is_open_ends_with_a_certificate_between_the_clients_and_the_anchor() {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    };
    use time::{Duration, OffsetDateTime};
    let (pki, pulse) = (Pki::new(), Pulse::start());
    let gateway = Gateway::start(&config(&pki, &pulse, "", &(alice() + &bob())));
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Intermediate");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (now - Duration::days(1), now + Duration::seconds(4));
    let between = pki.sign("between", params.clone());
    let issuer = Issuer::new(params, KeyPair::from_pem(&between.key).unwrap());
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    (params.not_before, params.not_after) = (now - Duration::days(1), now + Duration::days(1));
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap().pem();
    let mut identity = between.clone();
    (identity.certificate, identity.key) = (leaf + &between.certificate, key.serialize_pem());
    let expiring = Client::new(&pki, Some(&identity), gateway.address());
    std::thread::scope(|scope| {
        for open in STREAMS {
            let expiring = &expiring;
            scope.spawn(move || follow(open, expiring, || ()));
        }
    });
    for kind in ["tunnel", "stream"] {
        gateway.wait_for_access(|line| line["cut"] == kind && line["reason"] == "expired");
    }
}
