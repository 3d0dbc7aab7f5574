"""Public: which IP addresses are of the public internet. A list of its own, the same under every version of Python.

Python's `ipaddress` knows the special-purpose blocks as of its release: that of 3.11.7 takes 192.0.0.8 and 3fff::1 for
public. The list follows the IANA registries of special-purpose addresses (RFC 6890 and what came after it), of
multicast and of IPv6 unicast space. Blocks that can be reached but hold no articles, such as anycast services that a
network may answer itself, are in it as well.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared by carriers (RFC 6598)
            "127.0.0.0/8",  # loopback (RFC 1122)
            "169.254.0.0/16",  # link local (RFC 3927)
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # IETF protocol assignments, DS-Lite, NAT64 discovery (RFC 6890)
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.31.196.0/24",  # AS112 (RFC 7535)
            "192.52.193.0/24",  # AMT (RFC 7450)
            "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
            "192.168.0.0/16",  # private (RFC 1918)
            "192.175.48.0/24",  # AS112 (RFC 7534)
            "198.18.0.0/15",  # benchmarking (RFC 2544)
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast (RFC 1112)
            "240.0.0.0/4",  # reserved, and broadcast (RFC 1112, RFC 8190)
        ),
    )
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 from which public addresses are given out. Outside of it lie the unspecified address, loopback,
IPv4-mapped and -compatible addresses, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), discard-only (100::/64), SRv6 SIDs
(5f00::/16), unique-local, link-local, site-local and multicast addresses."""
NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, DRIP (RFC 2928)
            "2001:db8::/32",  # documentation (RFC 3849)
            "2002::/16",  # 6to4: leads to the IPv4 address inside (RFC 3056)
            "2620:4f:8000::/48",  # AS112 (RFC 7534)
            "3ffe::/16",  # 6bone, given back (RFC 3701)
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses written as IPv6 ones."""
ISATAP = 0x00005EFE
"""First half of an interface id that leads to the IPv4 address in its second half (RFC 5214); one bit may differ."""


def is_public(ip: str) -> bool:
    """Whether an IP address, as the resolver writes it, is one of the public internet.

    An IPv4 address counts as itself in its IPv6 disguise. With a zone ("fe80::1%eth0") none is.
    """
    try:
        return _is_public_4(IPv4Address(ip)) if ":" not in ip else _is_public_6(IPv6Address(ip))
    except AddressValueError:
        return False


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in block for block in NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in MAPPED:
        return _is_public_4(IPv4Address(int(address) & 0xFFFFFFFF))
    if (int(address) >> 32) & 0xFDFFFFFF == ISATAP:
        return False
    return address in GLOBAL_UNICAST and not any(address in block for block in NOT_PUBLIC_6)
