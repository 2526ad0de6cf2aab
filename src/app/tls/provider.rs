//! A crypto provider without luck of its own: ring's ciphers and signatures, X25519 keys from the run's seed.

use std::fmt;

use rustls::crypto::{ActiveKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup, ring};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

use super::luck::{Luck, draw};

/// rustls's ring provider with the luck of the program that is being polled (see [`Lucky`](super::Lucky)): random bytes and
/// X25519 keys, the one key exchange it offers. Outside of a program's poll every draw fails.
#[must_use]
pub fn provider() -> CryptoProvider {
    CryptoProvider { kx_groups: vec![&X25519], secure_random: &Luck, ..ring::default_provider() }
}

/// RFC 7748's key exchange.
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        draw(&mut secret)?;
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret);
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl fmt::Debug for X25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519")
    }
}

struct Exchange {
    secret: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        // RFC 8446 §7.4.2: "implementations MUST check whether the computed Diffie-Hellman shared secret is the all-zero
        // value and abort if so".
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&shared.as_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_program_there_is_no_luck() {
        assert!(provider().secure_random.fill(&mut [0; 8]).is_err());
        assert!(X25519.start().is_err());
    }

    #[test]
    fn the_exchange_is_that_of_the_standard_and_refuses_what_it_must() {
        // RFC 7748 §6.1: Alice's private key, Bob's public key, their shared secret.
        let hex = |text: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        };
        let exchange = |key: &str| {
            let secret = StaticSecret::from(hex(key));
            Box::new(Exchange { public: PublicKey::from(&secret), secret })
        };
        let alice = exchange("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(alice.complete(&bob).unwrap().secret_bytes(), shared);
        let zero = exchange(&"01".repeat(32)).complete(&[0; 32]);
        assert!(matches!(zero, Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))));
        let short = exchange(&"01".repeat(32)).complete(&[9; 31]);
        assert!(matches!(short, Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))));
        let (first, second) = (exchange(&"01".repeat(32)), exchange(&"02".repeat(32)));
        let (first_public, second_public) = (first.pub_key().to_vec(), second.pub_key().to_vec());
        let (ours, theirs) = (first.complete(&second_public).unwrap(), second.complete(&first_public).unwrap());
        assert_eq!(ours.secret_bytes(), theirs.secret_bytes());
    }
}
