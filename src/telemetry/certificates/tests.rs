//! The way from a connection to the list.

use super::*;

const NOW: i64 = 1_800_000_000;

fn sighting(number: usize) -> Sighting {
    Sighting {
        user: Some("alice".into()),
        common_name: None,
        subject: "CN=alice".into(),
        serial: "01".into(),
        fingerprint: format!("{number:08}").into(),
        trust_domain: "test".into(),
        not_after: NOW + i64::try_from(number).expect("a small number"),
        seen: NOW,
        urgency: Urgency::Later,
    }
}

#[test]
fn nobody_waits_and_what_does_not_fit_is_counted() {
    let telemetry = Telemetry::default();
    (0..MOST_WAITING + 5).for_each(|number| telemetry.certificate_seen(sighting(number)));
    assert_eq!(telemetry.metrics.certificate_sightings_lost.get(), 5);
}

#[tokio::test]
async fn what_is_told_is_listed_up_to_the_cap() {
    let telemetry = Arc::<Telemetry>::default();
    (0..MOST_CERTIFICATES + 5).for_each(|number| {
        telemetry.certificate_seen(Sighting {
            user: None,
            ..sighting(number)
        })
    });
    let following = tokio::spawn(telemetry.clone().follow_certificates());
    // Capacity comes back as sightings are taken.
    while telemetry.certificates.sender.capacity() < MOST_WAITING {
        tokio::task::yield_now().await;
    }
    let (soonest, known) = telemetry.certificates.soonest(2, NOW);
    let fingerprints: Vec<_> = soonest
        .iter()
        .map(|seen| &*seen.sighting.fingerprint)
        .collect();
    assert_eq!(
        (fingerprints, known),
        (vec!["00000000", "00000001"], MOST_CERTIFICATES)
    );
    following.abort();
    // There is nothing left for a second one.
    telemetry.follow_certificates().await;
}

#[test]
fn long_names_are_cut_between_characters() {
    assert_eq!(&*kept("CN=alice"), "CN=alice");
    assert_eq!(kept(&"x".repeat(MOST_OCTETS)).len(), MOST_OCTETS);
    assert_eq!(kept(&"x".repeat(MOST_OCTETS + 1)).len(), MOST_OCTETS);
    assert_eq!(
        kept(&format!("x{}", "\u{e9}".repeat(MOST_OCTETS))).len(),
        MOST_OCTETS - 1
    );
}
