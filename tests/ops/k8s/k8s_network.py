"""Who may reach whom, decided from NetworkPolicies as a cluster that enforces them decides.

Both ends must agree: the sender's policies let it out, the receiver's let it in. A pod that no
policy of a direction chooses is open in that direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from k8s_manifests import Object, of_kind

OURS = "lockstep"


@dataclass(frozen=True)
class Peer:
    """A pod by its labels and namespace, or what stands at an address outside."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


def may_reach(objects: list[Object], sender: Peer, receiver: Peer, port: int) -> bool:
    """Whether a TCP connection from one to the other at a port comes about."""
    policies = of_kind(objects, "NetworkPolicy")
    return _passes(policies, sender, receiver, "Egress", port) and _passes(
        policies, receiver, sender, "Ingress", port
    )


def _passes(policies: list[Object], own: Peer, other: Peer, direction: str, port: int) -> bool:
    if own.address:
        return True
    chosen = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and _matches(policy["spec"]["podSelector"], own.labels)
        and direction in policy["spec"]["policyTypes"]
    ]
    if not chosen:
        return True
    rules = [rule for spec in chosen for rule in spec.get(direction.lower(), [])]
    peers = "from" if direction == "Ingress" else "to"
    return any(
        _allows_port(rule, port)
        and (not rule.get(peers) or any(_is_peer(p, own, other) for p in rule[peers]))
        for rule in rules
    )


def _allows_port(rule: Object, port: int) -> bool:
    ports = [p for p in rule.get("ports", []) if p.get("protocol", "TCP") == "TCP"]
    return not rule.get("ports") or any(
        "port" not in p or p["port"] <= port <= p.get("endPort", p["port"]) for p in ports
    )


def _is_peer(rule: Object, own: Peer, other: Peer) -> bool:
    if block := rule.get("ipBlock"):
        outside = [ip_network(cidr) for cidr in block.get("except", [])]
        if not other.address:
            return False
        address = ip_address(other.address)
        return address in ip_network(block["cidr"]) and not any(address in net for net in outside)
    if other.address:
        return False
    spaces = rule.get("namespaceSelector")
    here = (
        other.namespace == own.namespace
        if spaces is None
        else _matches(spaces, {"kubernetes.io/metadata.name": other.namespace})
    )
    return here and _matches(rule.get("podSelector", {}), other.labels)


def _matches(selector: Object, labels: Mapping[str, str]) -> bool:
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(_expression(e, labels) for e in selector.get("matchExpressions", []))


def _expression(expression: Object, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
