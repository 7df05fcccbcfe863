//! To which addresses notices may go: whoever can write a sink's name into a zone could otherwise have Pawl
//! speak to what only this network reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether a URL names this machine itself, in so many words: whoever wrote it meant it.
#[must_use]
pub fn is_own(url: &Url) -> bool {
    url.host_str() == Some("localhost") || literal(url).is_some_and(|address| address.is_loopback())
}

/// The address that a URL names, where it names one instead of a host.
#[must_use]
pub fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Whether an address is of this machine, of this network, or of nobody: all that the registries of special
/// addresses (RFC 6890 and those that amend it) do not give to the world.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // between carriers
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99) // relays to IPv6, long gone
        || (a == 198 && (18..20).contains(&b)) // benchmarks
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let v4 = |high, low| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    // An IPv4 address in other clothes is judged as what it is.
    let inner = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => address.to_ipv4_mapped(),
    };
    if let Some(inner) = inner {
        return is_private_v4(inner);
    }
    // Only 2000::/3 is given to the world; in it, what protocols use (Teredo among it) and documentation are not.
    (a & 0xe000) != 0x2000 || (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a & 0xfff0) == 0x3ff0
}

/// Finds the addresses of hosts, and leaves out those that may not be spoken to. What it finds is what is
/// connected to: nobody looks up the name again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    /// Private addresses are left in.
    pub allow_private: bool,
}

/// Why a host has no address.
#[derive(Debug, thiserror::Error)]
enum NoAddress {
    #[error("the host has no address")]
    None,
    #[error("the host is at a private address ({0}): allow_private = true lets it")]
    Private(IpAddr),
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { allow_private } = *self;
        Box::pin(async move {
            // `localhost` was written by whoever configured the sink.
            let allows_private = allow_private || name.as_str() == "localhost";
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let refused = found.iter().map(SocketAddr::ip).find(|address| is_private(*address));
            let fine: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| allows_private || !is_private(address.ip()))
                .collect();
            match (fine.is_empty(), refused) {
                (true, Some(address)) => Err(NoAddress::Private(address).into()),
                (true, None) => Err(NoAddress::None.into()),
                (false, _) => Ok(Box::new(fine.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_worlds_is_private() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.1",
            "198.18.0.1",
            "203.0.113.9",
            "::",
            "::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1:a00:0:100:5db8:d822",
            "192.88.99.1",
            "2001:2::1",
            "2001:10::1",
            "2002:a00:1::",
        ] {
            assert!(is_private(address.parse().expect("an address")), "{address}");
        }
        for address in ["93.184.216.34", "100.128.0.1", "2606:4700::1111", "64:ff9b::5db8:d822"] {
            assert!(!is_private(address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn only_this_machine_in_so_many_words_is_own() {
        let own = |url: &str| is_own(&url.parse().expect("a URL"));
        for url in ["http://127.0.0.1:80/x", "http://[::1]/", "http://localhost:9/"] {
            assert!(own(url), "{url}");
        }
        for url in ["http://127.example.com/", "http://localhost.example/", "http://10.0.0.1/"] {
            assert!(!own(url), "{url}");
        }
    }
}
