//! The KES client against a real KES server, under the documented policy: create, generate and decrypt, nothing else.
//!
//! Skipped where there is no KES; `tests/tools/build.sh` builds one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use strongroom::kms::{Context, EndpointState, KeyName, Kms, KmsConfig, KmsError, KmsKind};
use support::kes::{DOCUMENTED_PATHS, KesClientKey, KesServer};

fn open(environment: &[(&str, String)]) -> Arc<dyn Kms> {
    let lookup =
        |name: &str| environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.clone());
    KmsConfig::from_env(lookup).ok().unwrap().open().ok().unwrap().unwrap()
}

fn with(
    mut environment: Vec<(&'static str, String)>,
    name: &'static str,
    value: String,
) -> Vec<(&'static str, String)> {
    environment.retain(|(variable, _)| *variable != name);
    environment.push((name, value));
    environment
}

fn key(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn context() -> Context {
    Context::bucket(&[7; 16])
}

#[test]
fn a_data_key_is_made_and_unwrapped_under_its_key_and_context_only() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let kms = open(&kes.environment("app-default"));
    kms.create_key(&key("app-default")).unwrap();
    kms.create_key(&key("app-other")).unwrap();
    let made = kms.generate(&key("app-default"), &context()).ok().unwrap();
    let opened = kms.unwrap(&key("app-default"), &made.sealed, &context()).ok().unwrap();
    assert_eq!(opened.expose(), made.plain.expose());
    let again = kms.generate(&key("app-default"), &context()).ok().unwrap();
    assert_ne!(again.plain.expose(), made.plain.expose());

    let invalid = |name: &str, sealed: &[u8], context: &Context| {
        let error = kms.unwrap(&key(name), sealed, context).err();
        assert!(matches!(error, Some(KmsError::InvalidCiphertext { .. })), "{error:?}");
    };
    invalid("app-default", &made.sealed, &Context::bucket(&[8; 16]));
    invalid("app-default", &made.sealed[1..], &context());
    invalid("app-default", b"short", &context());
    invalid("app-other", &made.sealed, &context());
    let mut altered = made.sealed.clone();
    altered[3] ^= 1;
    invalid("app-default", &altered, &context());
}

#[test]
fn existing_missing_and_denied_keys_are_told_apart() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let kms = open(&kes.environment("app-default"));
    kms.create_key(&key("app-default")).unwrap();
    let exists = kms.create_key(&key("app-default")).unwrap_err();
    assert!(matches!(exists, KmsError::AlreadyExists { .. }), "{exists:?}");
    let missing = kms.generate(&key("app-none"), &context()).err().unwrap();
    assert!(matches!(missing, KmsError::NotFound { .. }), "{missing:?}");
    let missing = kms.unwrap(&key("app-none"), b"sealed", &context()).err().unwrap();
    assert!(matches!(missing, KmsError::NotFound { .. }), "{missing:?}");

    let outside = kms.generate(&key("other"), &context()).err().unwrap();
    assert!(matches!(outside, KmsError::Denied { .. }), "{outside:?}");
    let message = outside.to_string();
    for part in ["/v1/key/generate/other", kes.app.identity.as_str(), kes.endpoint().as_str(), "`other`"] {
        assert!(message.contains(part), "{message}");
    }
    let listing = kms.list("app-").unwrap_err();
    assert!(matches!(listing, KmsError::Denied { .. }), "{listing:?}");
    assert!(listing.to_string().contains("/v1/key/list/*"), "{listing}");
}

#[test]
fn an_identity_that_no_policy_names_is_denied() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let stranger = KesClientKey::random();
    let kms = open(&with(kes.environment("app-default"), "MINIO_KMS_KES_API_KEY", stranger.api_key));
    let denied = kms.generate(&key("app-default"), &context()).err().unwrap();
    assert!(matches!(denied, KmsError::Denied { .. }), "{denied:?}");
    assert!(denied.to_string().contains(&stranger.identity), "{denied}");
}

#[test]
fn a_certificate_from_files_is_the_identity_of_its_key() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (cert, private_key) = (dir.path().join("app.crt"), dir.path().join("app.key"));
    let pair = kes.app.key_pair();
    let certificate = rcgen::CertificateParams::new(vec!["app".to_owned()]).unwrap().self_signed(&pair).unwrap();
    std::fs::write(&cert, certificate.pem()).unwrap();
    std::fs::write(&private_key, pair.serialize_pem()).unwrap();
    let mut environment = kes.environment("app-default");
    environment.retain(|(variable, _)| *variable != "MINIO_KMS_KES_API_KEY");
    environment.push(("MINIO_KMS_KES_CERT_FILE", cert.display().to_string()));
    environment.push(("MINIO_KMS_KES_KEY_FILE", private_key.display().to_string()));
    let kms = open(&environment);
    kms.create_key(&key("app-default")).unwrap();
    assert!(kms.generate(&key("app-default"), &context()).is_ok());
    let denied = kms.generate(&key("other"), &context()).err().unwrap();
    assert!(denied.to_string().contains(&kes.app.identity), "{denied}");
}

#[test]
fn a_revoked_permission_denies_at_once_and_a_granted_one_serves_at_once() {
    let Some(mut kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let kms = open(&kes.environment("app-default"));
    kms.create_key(&key("app-default")).unwrap();
    let made = kms.generate(&key("app-default"), &context()).ok().unwrap();
    let unwrap = || kms.unwrap(&key("app-default"), &made.sealed, &context()).err();
    assert_eq!(unwrap(), None);

    kes.allow(&[DOCUMENTED_PATHS[0]]);
    assert!(matches!(unwrap(), Some(KmsError::Denied { .. })));
    kes.allow(&DOCUMENTED_PATHS);
    assert_eq!(unwrap(), None);

    kes.take_key_away("app-default");
    assert!(matches!(unwrap(), Some(KmsError::NotFound { .. })));
    kms.create_key(&key("app-default")).unwrap();
    assert!(matches!(unwrap(), Some(KmsError::InvalidCiphertext { .. })));
    kes.put_key_back("app-default");
    assert_eq!(unwrap(), None);
}

#[test]
fn a_server_that_is_down_is_unreachable_and_is_found_again_when_it_is_back() {
    let Some(mut kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let kms = open(&kes.environment("app-default"));
    kms.create_key(&key("app-default")).unwrap();
    let made = kms.generate(&key("app-default"), &context()).ok().unwrap();
    let unwrap = || kms.unwrap(&key("app-default"), &made.sealed, &context()).err();

    kes.stop();
    let begun = Instant::now();
    let down = unwrap().unwrap();
    assert!(matches!(down, KmsError::Unreachable { .. }), "{down:?}");
    assert!(down.to_string().contains(&kes.endpoint()), "{down}");
    assert!(begun.elapsed() < Duration::from_secs(6));
    assert!(!kms.status().unwrap().is_online());
    let created = kms.create_key(&key("app-new")).unwrap_err();
    assert!(matches!(created, KmsError::Unreachable { .. }), "{created:?}");

    kes.restart();
    assert_eq!(unwrap(), None);
    assert!(kms.status().unwrap().is_online());
}

#[test]
fn a_server_that_hangs_is_unreachable_within_the_time_allowed() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let kms = open(&kes.environment("app-default"));
    kms.create_key(&key("app-default")).unwrap();
    kes.freeze();
    let begun = Instant::now();
    let hung = kms.generate(&key("app-default"), &context()).err();
    kes.thaw();
    assert!(matches!(hung, Some(KmsError::Unreachable { .. })), "{hung:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn another_endpoint_serves_when_the_first_is_dead() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let dead = format!("https://127.0.0.1:{}", support::process::free_port());
    let endpoints = format!("{dead},{}", kes.endpoint());
    let kms = open(&with(kes.environment("app-default"), "MINIO_KMS_KES_ENDPOINT", endpoints));
    kms.create_key(&key("app-default")).unwrap();
    assert!(kms.generate(&key("app-default"), &context()).is_ok());
    let status = kms.status().unwrap();
    assert!(matches!(status.endpoints[0].state, EndpointState::Offline { .. }));
    assert_eq!(status.endpoints[1].state, EndpointState::Online { version: None });
}

#[test]
fn what_is_not_kes_is_neither_a_denial_nor_a_missing_key() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let below = format!("{}/not-kes", kes.endpoint());
    let kms = open(&with(kes.environment("app-default"), "MINIO_KMS_KES_ENDPOINT", below.clone()));
    let refused = kms.generate(&key("app-default"), &context()).err().unwrap();
    assert!(matches!(refused, KmsError::Protocol { .. }), "{refused:?}");

    let both = format!("{below},{}", kes.endpoint());
    let kms = open(&with(kes.environment("app-default"), "MINIO_KMS_KES_ENDPOINT", both));
    kms.create_key(&key("app-default")).unwrap();
    assert!(kms.generate(&key("app-default"), &context()).is_ok());
}

#[test]
fn an_untrusted_server_is_unreachable_and_the_message_names_the_variable() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let mut environment = kes.environment("app-default");
    environment.retain(|(variable, _)| *variable != "MINIO_KMS_KES_CAPATH");
    let untrusted = open(&environment).generate(&key("app-default"), &context()).err().unwrap();
    assert!(matches!(untrusted, KmsError::Unreachable { .. }), "{untrusted:?}");
    assert!(untrusted.to_string().contains("MINIO_KMS_KES_CAPATH"), "{untrusted}");
}

#[test]
fn keys_are_listed_over_pages_and_the_status_is_told_to_who_may_ask() {
    let Some(kes) = KesServer::start(&["/v1/key/*", "/v1/status"]) else { return };
    let kms = open(&kes.environment("app-default"));
    for number in 0..1100 {
        kms.create_key(&key(&format!("app-{number}"))).unwrap();
    }
    kms.create_key(&key("other")).unwrap();
    assert_eq!(kms.list("app-").unwrap().len(), 1100);
    assert_eq!(kms.list("").unwrap().len(), 1101);
    assert_eq!(kms.list("app-109").unwrap().len(), 11);
    assert_eq!(kms.list("none").unwrap(), vec![]);
    let status = kms.status().unwrap();
    assert_eq!(status.kind, KmsKind::Kes);
    assert!(matches!(status.endpoints[0].state, EndpointState::Online { version: Some(_) }), "{status:?}");
}

#[test]
fn many_threads_may_call_at_once() {
    let Some(kes) = KesServer::start(&DOCUMENTED_PATHS) else { return };
    let kms = open(&kes.environment("app-default"));
    kms.create_key(&key("app-default")).unwrap();
    std::thread::scope(|scope| {
        for number in 0..64_u8 {
            let kms = &kms;
            scope.spawn(move || {
                let context = Context::bucket(&[number; 16]);
                let made = kms.generate(&key("app-default"), &context).ok().unwrap();
                let opened = kms.unwrap(&key("app-default"), &made.sealed, &context).ok().unwrap();
                assert_eq!(opened.expose(), made.plain.expose());
            });
        }
    });
}
