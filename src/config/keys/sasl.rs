//! SASL mechanisms and OAuth.

use crate::key::Check::{Any, Between, OneOfIgnoringCase};
use crate::key::Importance::{High, Low, Medium};
use crate::key::KeyType::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
use crate::key::Support::{Accepted, Refused};
use crate::key::UpdateMode::{PerBroker, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("connections.max.reauth.ms", Long, Some("0"), Any, Medium, ReadOnly, Accepted, "Longest life of a SASL session before the client must authenticate again, in milliseconds; 0 is unlimited."),
    key("sasl.client.callback.handler.class", Class, None, Any, Medium, ReadOnly, Refused, "Java class of the client side of SASL; not supported."),
    key("sasl.enabled.mechanisms", List, Some("GSSAPI"), Any, Medium, PerBroker, Accepted, "SASL mechanisms that are on."),
    key("sasl.jaas.config", Password, None, Any, Medium, PerBroker, Accepted, "Credentials and options of a SASL mechanism."),
    key("sasl.kerberos.kinit.cmd", String, Some("/usr/bin/kinit"), Any, Medium, PerBroker, Accepted, "Path of kinit."),
    key("sasl.kerberos.min.time.before.relogin", Long, Some("60000"), Any, Medium, PerBroker, Accepted, "Pause between Kerberos logins, in milliseconds."),
    key("sasl.kerberos.principal.to.local.rules", List, Some("DEFAULT"), Any, Medium, PerBroker, Accepted, "How Kerberos principals become user names."),
    key("sasl.kerberos.service.name", String, None, Any, Medium, PerBroker, Accepted, "Kerberos service name of the brokers."),
    key("sasl.kerberos.ticket.renew.jitter", Double, Some("0.05"), Any, Medium, PerBroker, Accepted, "Share of the renewal time that is random."),
    key("sasl.kerberos.ticket.renew.window.factor", Double, Some("0.8"), Any, Medium, PerBroker, Accepted, "Share of a ticket's life after which it is renewed."),
    key("sasl.login.callback.handler.class", Class, None, Any, Medium, ReadOnly, Refused, "Java class of SASL logins; not supported."),
    key("sasl.login.class", Class, None, Any, Medium, ReadOnly, Refused, "Java class of SASL logins; not supported."),
    key("sasl.login.connect.timeout.ms", Int, None, Any, Low, ReadOnly, Accepted, "Longest wait for a connection to the identity provider, in milliseconds."),
    key("sasl.login.read.timeout.ms", Int, None, Any, Low, ReadOnly, Accepted, "Longest wait for an answer of the identity provider, in milliseconds."),
    key("sasl.login.refresh.buffer.seconds", Short, Some("300"), Any, Medium, PerBroker, Accepted, "Time kept before a token's end when it is refreshed, in seconds."),
    key("sasl.login.refresh.min.period.seconds", Short, Some("60"), Any, Medium, PerBroker, Accepted, "Shortest time between refreshes of a token, in seconds."),
    key("sasl.login.refresh.window.factor", Double, Some("0.8"), Any, Medium, PerBroker, Accepted, "Share of a token's life after which it is refreshed."),
    key("sasl.login.refresh.window.jitter", Double, Some("0.05"), Any, Medium, PerBroker, Accepted, "Share of that time that is random."),
    key("sasl.login.retry.backoff.max.ms", Long, Some("10000"), Any, Low, ReadOnly, Accepted, "Longest pause after a failed login, in milliseconds."),
    key("sasl.login.retry.backoff.ms", Long, Some("100"), Any, Low, ReadOnly, Accepted, "First pause after a failed login, in milliseconds."),
    key("sasl.mechanism.controller.protocol", String, Some("GSSAPI"), Any, High, ReadOnly, Accepted, "SASL mechanism used towards controllers."),
    key("sasl.mechanism.inter.broker.protocol", String, Some("GSSAPI"), Any, Medium, PerBroker, Accepted, "SASL mechanism brokers use among themselves."),
    key("sasl.oauthbearer.assertion.algorithm", String, Some("RS256"), OneOfIgnoringCase(&["ES256", "RS256"]), Medium, ReadOnly, Accepted, "How JWT assertions are signed."),
    key("sasl.oauthbearer.assertion.claim.aud", String, None, Any, Medium, ReadOnly, Accepted, "Audience claim of JWT assertions."),
    key("sasl.oauthbearer.assertion.claim.exp.seconds", Int, Some("300"), Between(0, 86_400), Low, ReadOnly, Accepted, "Life of a JWT assertion, in seconds."),
    key("sasl.oauthbearer.assertion.claim.iss", String, None, Any, Medium, ReadOnly, Accepted, "Issuer claim of JWT assertions."),
    key("sasl.oauthbearer.assertion.claim.jti.include", Boolean, Some("false"), Any, Medium, ReadOnly, Accepted, "Whether JWT assertions carry a unique id."),
    key("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Some("60"), Between(0, 3600), Low, ReadOnly, Accepted, "How far a JWT assertion is valid before now, in seconds."),
    key("sasl.oauthbearer.assertion.claim.sub", String, None, Any, Medium, ReadOnly, Accepted, "Subject claim of JWT assertions."),
    key("sasl.oauthbearer.assertion.file", String, None, Any, Medium, ReadOnly, Accepted, "File with a ready JWT assertion."),
    key("sasl.oauthbearer.assertion.private.key.file", String, None, Any, Medium, ReadOnly, Accepted, "File with the key that signs JWT assertions."),
    key("sasl.oauthbearer.assertion.private.key.passphrase", Password, None, Any, Medium, ReadOnly, Accepted, "Passphrase of that key."),
    key("sasl.oauthbearer.assertion.template.file", String, None, Any, Medium, ReadOnly, Accepted, "File with headers and claims for JWT assertions."),
    key("sasl.oauthbearer.client.credentials.client.id", String, None, Any, Medium, ReadOnly, Accepted, "Client id for the client credentials grant."),
    key("sasl.oauthbearer.client.credentials.client.secret", Password, None, Any, Medium, ReadOnly, Accepted, "Client secret for the client credentials grant."),
    key("sasl.oauthbearer.clock.skew.seconds", Int, Some("30"), Any, Low, ReadOnly, Accepted, "Difference allowed between this clock and the issuer's, in seconds."),
    key("sasl.oauthbearer.expected.audience", List, None, Any, Low, ReadOnly, Accepted, "Audiences a token may name."),
    key("sasl.oauthbearer.expected.issuer", String, None, Any, Low, ReadOnly, Accepted, "Issuer a token must name."),
    key("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Some("3600000"), Any, Low, ReadOnly, Accepted, "How often the issuer's keys are read again, in milliseconds."),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Some("10000"), Any, Low, ReadOnly, Accepted, "Longest pause after failing to read them, in milliseconds."),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Some("100"), Any, Low, ReadOnly, Accepted, "First pause after failing to read them, in milliseconds."),
    key("sasl.oauthbearer.jwks.endpoint.url", String, None, Any, Medium, ReadOnly, Accepted, "Where the issuer's keys are read."),
    key("sasl.oauthbearer.jwt.retriever.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Any, Medium, ReadOnly, Refused, "Java class that fetches tokens; only the default."),
    key("sasl.oauthbearer.jwt.validator.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Any, Medium, ReadOnly, Refused, "Java class that checks tokens; only the default."),
    key("sasl.oauthbearer.scope", String, None, Any, Medium, ReadOnly, Accepted, "Scope asked for with a token."),
    key("sasl.oauthbearer.scope.claim.name", String, Some("scope"), Any, Low, ReadOnly, Accepted, "Name of the scope claim."),
    key("sasl.oauthbearer.sub.claim.name", String, Some("sub"), Any, Low, ReadOnly, Accepted, "Name of the subject claim."),
    key("sasl.oauthbearer.token.endpoint.url", String, None, Any, Medium, ReadOnly, Accepted, "Where tokens are fetched."),
    key("sasl.server.callback.handler.class", Class, None, Any, Medium, ReadOnly, Refused, "Java class of the server side of SASL; not supported."),
    key("sasl.server.max.receive.size", Int, Some("524288"), Any, Medium, ReadOnly, Accepted, "Largest message of a SASL exchange, in bytes."),
];
