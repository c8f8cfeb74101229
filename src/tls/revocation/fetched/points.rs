//! URLs of revocation lists from the distribution points of certificates. Fetches nothing.

use crate::fetch::FetchUrl;
use x509_parser::prelude::{
    DistributionPointName, FromDer, GeneralName, ParsedExtension, X509Certificate,
};

/// The fetchable URLs in a certificate's distribution points. Without those of lists by another issuer or for some
/// reasons only, since such lists are not accepted.
pub(super) fn distribution_points(certificate: &[u8]) -> Vec<FetchUrl> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let mut urls = Vec::new();
    for extension in certificate.extensions() {
        let ParsedExtension::CRLDistributionPoints(points) = extension.parsed_extension() else {
            continue;
        };
        for point in points
            .iter()
            .filter(|point| point.reasons.is_none() && point.crl_issuer.is_none())
        {
            let Some(DistributionPointName::FullName(names)) = &point.distribution_point else {
                continue;
            };
            urls.extend(names.iter().filter_map(|name| match name {
                GeneralName::URI(text) => FetchUrl::parse(text),
                _ => None,
            }));
        }
    }
    urls
}
