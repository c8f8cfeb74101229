//! The way from a connection to the list.

use super::*;

const NOW: i64 = 1_800_000_000;

fn sighting(number: usize) -> CertificateSighting {
    CertificateSighting {
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
fn sightings_beyond_the_queue_are_counted_without_waiting() {
    let telemetry = Telemetry::default();
    (0..MAX_QUEUED + 5).for_each(|number| telemetry.certificate_seen(sighting(number)));
    assert_eq!(telemetry.metrics.certificate_sightings_lost.get(), 5);
}

#[tokio::test]
async fn lists_are_printed_up_to_the_cap() {
    let telemetry = Arc::<Telemetry>::default();
    (0..MOST_CERTIFICATES + 5).for_each(|number| {
        telemetry.certificate_seen(CertificateSighting {
            user: None,
            ..sighting(number)
        })
    });
    let following = tokio::spawn(telemetry.clone().follow_certificates());
    // Capacity comes back as sightings are taken.
    while telemetry.certificates.sender.capacity() < MAX_QUEUED {
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
    assert_eq!(kept(&"x".repeat(MAX_NAME_BYTES)).len(), MAX_NAME_BYTES);
    assert_eq!(kept(&"x".repeat(MAX_NAME_BYTES + 1)).len(), MAX_NAME_BYTES);
    assert_eq!(
        kept(&format!("x{}", "\u{e9}".repeat(MAX_NAME_BYTES))).len(),
        MAX_NAME_BYTES - 1
    );
}
