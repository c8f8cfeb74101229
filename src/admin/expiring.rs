//! `/expiring`: the known client certificates that expire first, as JSON. The list is kept in `telemetry`.

use crate::clock::{self, rfc3339};
use crate::telemetry::{MOST_CERTIFICATES, SeenCertificate, Telemetry};
use serde_json::{Value, json};

/// Entries shown if the query has no limit.
const DEFAULT_LIMIT: usize = 100;

/// The response body for a query such as `limit=20`.
///
/// # Errors
/// A text for the client: what is wrong with the query.
pub(super) fn expiring(telemetry: &Telemetry, query: &str) -> Result<String, String> {
    let limit = limit(query)?;
    let now = clock::signed_seconds();
    let (soonest, known) = telemetry.certificates.soonest(limit, now);
    let certificates: Vec<Value> = soonest.iter().map(|seen| describe(seen, now)).collect();
    let listing = json!({ "time": rfc3339(now), "known": known, "limit": limit, "certificates": certificates });
    Ok(format!("{listing:#}\n"))
}

fn limit(query: &str) -> Result<usize, String> {
    let mut limit = DEFAULT_LIMIT;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let number = pair
            .strip_prefix("limit=")
            .and_then(|number| number.parse().ok());
        let valid = number.filter(|number| (1..=MOST_CERTIFICATES).contains(number));
        limit = valid
            .ok_or_else(|| format!("write ?limit=N with N from 1 to {MOST_CERTIFICATES}\n"))?;
    }
    Ok(limit)
}

fn describe(seen: &SeenCertificate, now: i64) -> Value {
    let SeenCertificate {
        sighting,
        replaced_by,
    } = seen;
    json!({
        "user": sighting.user.as_deref(),
        "cn": sighting.common_name.as_deref(),
        "subject": &*sighting.subject,
        "serial": &*sighting.serial,
        "fingerprint": &*sighting.fingerprint,
        "trust_domain": &*sighting.trust_domain,
        "not_after": rfc3339(sighting.not_after),
        "remaining_seconds": sighting.not_after.saturating_sub(now),
        "last_seen": rfc3339(sighting.seen),
        "replaced_by": replaced_by.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_number_within_bounds() {
        assert_eq!(
            (limit(""), limit("limit=1"), limit("limit=1000")),
            (Ok(100), Ok(1), Ok(1000))
        );
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=",
            "limit=-1",
            "limit=x",
            "count=5",
            "limit=5&x",
        ] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }
}
