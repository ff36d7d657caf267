//! TLS of listeners.

use crate::key::Check::{Any, OneOf};
use crate::key::Importance::{Low, Medium};
use crate::key::KeyType::{Boolean, Class, List, Password, String};
use crate::key::Support::{Accepted, Refused};
use crate::key::UpdateMode::{PerBroker, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("ssl.allow.dn.changes", Boolean, Some("false"), Any, Low, ReadOnly, Accepted, "Whether a new certificate may carry another name."),
    key("ssl.allow.san.changes", Boolean, Some("false"), Any, Low, ReadOnly, Accepted, "Whether a new certificate may carry other alternative names."),
    key("ssl.cipher.suites", List, Some(""), Any, Medium, PerBroker, Accepted, "Cipher suites that are on; empty is the library's choice."),
    key("ssl.client.auth", String, Some("none"), OneOf(&["required", "requested", "none"]), Medium, PerBroker, Accepted, "Whether clients need a certificate: none, requested or required."),
    key("ssl.enabled.protocols", List, Some("TLSv1.2,TLSv1.3"), Any, Medium, PerBroker, Accepted, "TLS versions that are on."),
    key("ssl.endpoint.identification.algorithm", String, Some("https"), Any, Low, PerBroker, Accepted, "How a peer's host name is checked; empty does not check it."),
    key("ssl.engine.factory.class", Class, None, Any, Low, PerBroker, Refused, "Java class that makes TLS engines; not supported."),
    key("ssl.key.password", Password, None, Any, Medium, PerBroker, Accepted, "Password of the private key."),
    key("ssl.keymanager.algorithm", String, Some("SunX509"), Any, Medium, PerBroker, Accepted, "Java's algorithm for key managers."),
    key("ssl.keystore.certificate.chain", Password, None, Any, Medium, PerBroker, Accepted, "Certificate chain in PEM."),
    key("ssl.keystore.key", Password, None, Any, Medium, PerBroker, Accepted, "Private key in PEM."),
    key("ssl.keystore.location", String, None, Any, Medium, PerBroker, Accepted, "File with private key and certificates."),
    key("ssl.keystore.password", Password, None, Any, Medium, PerBroker, Accepted, "Password of that file."),
    key("ssl.keystore.type", String, Some("JKS"), Any, Medium, PerBroker, Accepted, "Format of that file: JKS, PKCS12 or PEM."),
    key("ssl.principal.mapping.rules", String, Some("DEFAULT"), Any, Low, ReadOnly, Accepted, "How certificate names become user names."),
    key("ssl.protocol", String, Some("TLSv1.3"), Any, Medium, PerBroker, Accepted, "Newest TLS version."),
    key("ssl.provider", String, None, Any, Medium, PerBroker, Accepted, "Java's name of the cryptography provider."),
    key("ssl.secure.random.implementation", String, None, Any, Low, PerBroker, Accepted, "Java's name of the random number generator."),
    key("ssl.trustmanager.algorithm", String, Some("PKIX"), Any, Medium, PerBroker, Accepted, "Java's algorithm for trust managers."),
    key("ssl.truststore.certificates", Password, None, Any, Medium, PerBroker, Accepted, "Trusted certificates in PEM."),
    key("ssl.truststore.location", String, None, Any, Medium, PerBroker, Accepted, "File with trusted certificates."),
    key("ssl.truststore.password", Password, None, Any, Medium, PerBroker, Accepted, "Password of that file."),
    key("ssl.truststore.type", String, Some("JKS"), Any, Medium, PerBroker, Accepted, "Format of that file: JKS, PKCS12 or PEM."),
];
