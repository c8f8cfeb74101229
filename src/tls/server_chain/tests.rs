//! Chains that are right, and each fault.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};

struct Issued {
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn make(params: CertificateParams, above: Option<&Issued>) -> Issued {
    let key = KeyPair::generate().unwrap();
    let certificate = match above {
        Some(above) => params.signed_by(&key, &above.issuer),
        None => params.self_signed(&key),
    };
    Issued {
        der: certificate.unwrap().der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        issuer: Issuer::new(params, key),
    }
}

fn authority(name: &str, above: Option<&Issued>) -> Issued {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    make(params, above)
}

fn leaf(above: &Issued) -> Issued {
    make(params("leaf"), Some(above))
}

fn faults(chain: &[&Issued]) -> Vec<ServerChainFault> {
    let chain: Vec<_> = chain.iter().map(|made| made.der.clone()).collect();
    server_chain_faults(&chain)
}

#[test]
fn a_chain_in_order_has_no_fault_with_or_without_its_root() {
    let root = authority("root", None);
    let middle = authority("middle", Some(&root));
    let leaf = leaf(&middle);
    assert_eq!(faults(&[&leaf, &middle, &root]), []);
    assert_eq!(faults(&[&leaf, &middle]), []);
    assert_eq!(faults(&[&leaf]), []);
    assert_eq!(faults(&[&root]), [], "self-signed");
    assert_eq!(faults(&[]), []);
}

#[test]
fn a_chain_in_wrong_order_is_reported_with_the_right_order() {
    let root = authority("root", None);
    let middle = authority("middle", Some(&root));
    let leaf = leaf(&middle);
    let right_order = ["CN=leaf", "CN=middle", "CN=root"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        faults(&[&leaf, &root, &middle]),
        [ServerChainFault::OutOfOrder { right_order }]
    );
}

#[test]
fn a_certificate_of_another_chain_breaks_this_one_also_under_the_same_name() {
    let root = authority("root", None);
    let middle = authority("middle", Some(&root));
    let leaf = leaf(&middle);
    for name in ["other", "middle"] {
        let other = authority(name, None);
        let broken = ServerChainFault::Broken {
            subject: "CN=leaf".to_owned(),
            issuer: "CN=middle".to_owned(),
            next: format!("CN={name}"),
        };
        assert_eq!(faults(&[&leaf, &other]), [broken]);
    }
}

#[test]
fn a_leaf_for_clients_alone_is_no_servers() {
    let root = authority("root", None);
    let with = |usages: &[ExtendedKeyUsagePurpose]| {
        let mut params = params("leaf");
        params.extended_key_usages = usages.to_vec();
        faults(&[&make(params, Some(&root))])
    };
    let not_for_servers = ServerChainFault::NotForServers {
        subject: "CN=leaf".to_owned(),
    };
    assert_eq!(
        with(&[ExtendedKeyUsagePurpose::ClientAuth]),
        [not_for_servers]
    );
    assert_eq!(
        with(&[
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth
        ]),
        []
    );
    assert_eq!(with(&[ExtendedKeyUsagePurpose::Any]), []);
    assert_eq!(with(&[]), [], "without usages it is for everything");
}

#[test]
fn a_leaf_alone_that_says_where_its_issuer_is_lacks_it() {
    let root = authority("root", None);
    let middle = authority("middle", Some(&root));
    // AuthorityInfoAccess with one caIssuers: http://a/b
    let access = [
        0x30, 0x18, 0x30, 0x16, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 0x30, 2, 0x86, 0x0a, b'h', b't',
        b't', b'p', b':', b'/', b'/', b'a', b'/', b'b',
    ];
    let mut params = params("leaf");
    let id = [1, 3, 6, 1, 5, 5, 7, 1, 1];
    params
        .custom_extensions
        .push(CustomExtension::from_oid_content(&id, access.to_vec()));
    let leaf = make(params, Some(&middle));
    let alone = ServerChainFault::Alone {
        subject: "CN=leaf".to_owned(),
        issuer: "CN=middle".to_owned(),
    };
    assert_eq!(faults(&[&leaf]), [alone]);
    assert_eq!(faults(&[&leaf, &middle]), []);
}

#[test]
fn the_owner_of_a_misplaced_key_is_found() {
    let root = authority("root", None);
    let leaf = leaf(&root);
    let chain = [root.der.clone(), leaf.der.clone()];
    assert_eq!(owner_of_key(&chain, &leaf.key), Some(1));
    assert_eq!(owner_of_key(&chain, &root.key), Some(0));
    assert_eq!(owner_of_key(&chain[..1], &leaf.key), None);
}
