//! Who vouches for whom: certificate authorities and the certificates that they issue, the same for the same seed.
//!
//! Keys are Ed25519, made from named streams of the run's seed; dates are written or fixed. Nothing in a certificate depends
//! on when or where it is made.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::app::calendar::Moment;
use crate::net::Net;
use crate::rng::Rng;

/// The authority that every client trusts unless its scenario says otherwise.
pub(super) const COMMON: &str = "scenario";

/// RFC 8410 §7: what stands before the 32 bytes of an Ed25519 private key in PKCS #8.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What a certificate that says nothing else is good for: long enough for a real machine that attaches, whose calendar is
/// its own, and short enough for RFC 5280 §4.1.2.5 ("through the year 2049") to need one form of date only.
const VALID_FROM: &str = "2020-01-01";
const VALID_UNTIL: &str = "2049-12-31 23:59:59";

/// Somebody who signs certificates.
#[derive(Debug)]
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(super) struct Issued {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) not_before: Option<Moment>,
    pub(super) not_after: Option<Moment>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate: {0}")]
pub struct IssueError(#[from] rcgen::Error);

impl Authority {
    /// The authority of a run, which its clients trust.
    ///
    /// ```
    /// # use hopwise::app::tls::Authority;
    /// let authority = Authority::of_run(42);
    /// assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    /// assert_eq!(authority.pem(), Authority::of_run(42).pem());
    /// assert_ne!(authority.pem(), Authority::of_run(43).pem());
    /// ```
    #[must_use]
    pub fn of_run(seed: u64) -> Self {
        Self::named(COMMON, |name| Rng::stream(seed, name)).expect("its name is plain ASCII")
    }

    /// An authority by its name in the scenario.
    pub(super) fn named(name: &str, stream: impl Fn(&str) -> Rng) -> Result<Self, IssueError> {
        let mut luck = stream(&format!("tls authority {name}"));
        let key = key_pair(&mut luck)?;
        let mut params = params(&format!("hopwise {name} authority"), None, None, &mut luck);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Its certificate as text, as `curl --cacert` wants it.
    #[must_use]
    pub fn pem(&self) -> String {
        // RFC 7468 §2: "Generators MAY end lines with CRLF, CR, or LF"; everybody here ends them with LF.
        self.certificate.pem().replace("\r\n", "\n")
    }

    /// Its certificate as bytes, as rustls wants it.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// A certificate for a server of one's own, with its key: for these names, and for no addresses. The same each time that
    /// the same machine asks for the same names.
    ///
    /// # Errors
    ///
    /// When a name is none.
    pub fn certify(
        &self,
        net: &Net,
        names: &[&str],
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), IssueError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut luck = net.common_stream(&format!("tls key {}/{}", net.host_name(), names.join(",")));
        let subject = Subject { names, addresses: Vec::new(), not_before: None, not_after: None };
        let Issued { certificate, key } = self.issue(&subject, &mut luck)?;
        Ok((certificate, key))
    }

    /// The authority of the run that a program takes part in.
    #[must_use]
    pub fn of(net: &Net) -> Self {
        Self::named(COMMON, |name| net.common_stream(name)).expect("its name is plain ASCII")
    }

    /// A certificate for a server.
    pub(super) fn issue(&self, subject: &Subject, luck: &mut Rng) -> Result<Issued, IssueError> {
        let key = key_pair(luck)?;
        let certificate = subject.params(luck)?.signed_by(&key, &self.issuer)?;
        Ok(issued(&certificate, &key))
    }
}

/// A certificate that nobody but its owner vouches for.
pub(super) fn self_signed(subject: &Subject, luck: &mut Rng) -> Result<Issued, IssueError> {
    let key = key_pair(luck)?;
    let certificate = subject.params(luck)?.self_signed(&key)?;
    Ok(issued(&certificate, &key))
}

fn issued(certificate: &Certificate, key: &KeyPair) -> Issued {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Issued { certificate: certificate.der().clone(), key }
}

impl Subject {
    fn params(&self, luck: &mut Rng) -> Result<CertificateParams, IssueError> {
        let address = self.addresses.first().map(ToString::to_string);
        let title = self.names.first().cloned().or(address).unwrap_or_default();
        let mut params = params(&title, self.not_before, self.not_after, luck);
        for name in &self.names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(self.addresses.iter().copied().map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

fn params(title: &str, not_before: Option<Moment>, not_after: Option<Moment>, luck: &mut Rng) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, title);
    // RFC 5280 §4.1.2.2: "The serial number MUST be a positive integer".
    params.serial_number = Some(SerialNumber::from((luck.next_u64() >> 1).max(1)));
    let date = |given: Option<Moment>, default: &str| {
        let moment = given.or_else(|| Moment::parse(default)).expect("the default is a date");
        let civil = moment.civil();
        let day = date_time_ymd(i32::try_from(civil.year).unwrap_or(i32::MAX), civil.month, civil.day);
        day + Duration::from_secs(u64::from(civil.hour) * 3600 + u64::from(civil.minute) * 60 + u64::from(civil.second))
    };
    (params.not_before, params.not_after) = (date(not_before, VALID_FROM), date(not_after, VALID_UNTIL));
    params
}

fn key_pair(luck: &mut Rng) -> Result<KeyPair, IssueError> {
    let mut key = ED25519_PKCS8.to_vec();
    for _ in 0..4 {
        key.extend(luck.next_u64().to_le_bytes());
    }
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key), &PKCS_ED25519)?)
}
