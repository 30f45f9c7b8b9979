"""The table of who may talk to whom; all else is denied, in both overlays."""

from __future__ import annotations

import pytest
from k8s_manifests import Object, executor_template, named, of_kind, pod_template
from k8s_network import OURS, Peer, may_reach

PORTS = (53, 80, 443, 5000, 5432, 6379, 6380, 6443, 7070, 7078, 7079, 8000, 8443, 8888, 9108)
OUTSIDE = {
    "dns": Peer("kube-system", {"k8s-app": "kube-dns"}),
    "other in kube-system": Peer("kube-system", {"k8s-app": "other"}),
    "ingress": Peer("ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}),
    "prometheus": Peer("monitoring", {"app.kubernetes.io/name": "prometheus"}),
    "grafana": Peer("monitoring", {"app.kubernetes.io/name": "grafana"}),
    "stranger": Peer("default", {"app.kubernetes.io/name": "lockstep"}),
    "internet": Peer(address="203.0.113.7"),
}
# Between the parts, in both overlays.
EVERYWHERE = {
    ("ingress", "api", 8443),
    ("prometheus", "api", 8443),
    ("prometheus", "exporter", 8443),
    ("api", "mlflow", 8443),
    ("exporter", "mlflow", 8443),
    ("jobs", "mlflow", 8443),
    ("jobs", "spark-executor", 7079),
    ("spark-executor", "jobs", 7078),
    ("spark-executor", "jobs", 7079),
    ("spark-executor", "spark-executor", 7079),
}
REDIS = ("api", "exporter", "jobs")
POSTGRES = ("exporter", "feast-ui", "jobs", "mlflow")
S3 = ("api", "exporter", "jobs", "mlflow", "spark-executor")
LOCAL = {
    *((client, "redis", 6379) for client in REDIS),
    *((client, "postgres", 5432) for client in POSTGRES),
    *((client, "s3", 7070) for client in (*S3, "s3-buckets")),
}
PRODUCTION = {
    *((client, "redis", 6380) for client in REDIS),
    *((client, "postgres", 5432) for client in POSTGRES),
    *((client, "s3", 443) for client in S3),
    ("jobs", "kubernetes", 6443),
}
MANAGED = {
    "redis": Peer(address="10.20.1.4"),
    "postgres": Peer(address="10.20.2.4"),
    "s3": Peer(address="10.20.3.4"),
    "kubernetes": Peer(address="10.20.4.4"),
}


def parts(objects: list[Object]) -> dict[str, Peer]:
    """Every pod of ours by its component, as it is really labelled, and one without a part."""
    templates = [t for o in objects if (t := pod_template(o))] + [executor_template(objects)]
    labels = [t["metadata"]["labels"] for t in templates]
    found = {each["app.kubernetes.io/component"]: Peer(OURS, each) for each in labels}
    return found | {"unlabelled": Peer(OURS)}


def edges(objects: list[Object], others: dict[str, Peer]) -> set[tuple[str, str, int]]:
    """Every connection that comes about, but between peers that are none of ours."""
    ours = parts(objects)
    peers = ours | others
    return {
        (sender, receiver, port)
        for sender in peers
        for receiver in peers
        for port in PORTS
        if (sender in ours or receiver in ours)
        and may_reach(objects, peers[sender], peers[receiver], port)
    }


def expected(
    objects: list[Object], backends: set[tuple[str, str, int]]
) -> set[tuple[str, str, int]]:
    return EVERYWHERE | backends | {(part, "dns", 53) for part in parts(objects)}


def test_on_one_node_only_these_edges_are_open(local: list[Object]) -> None:
    assert edges(local, OUTSIDE) == expected(local, LOCAL)


def test_in_production_only_these_edges_are_open(production: list[Object]) -> None:
    assert edges(production, OUTSIDE | MANAGED) == expected(production, PRODUCTION)


@pytest.mark.parametrize("sender", [*OUTSIDE, "feast-ui", "mlflow", "spark-executor", "unlabelled"])
def test_redis_does_not_hear_others(local: list[Object], sender: str) -> None:
    peers = parts(local) | OUTSIDE
    assert not any(may_reach(local, peers[sender], peers["redis"], port) for port in PORTS)


@pytest.mark.parametrize("opened", [{}, {"from": [{"namespaceSelector": {}}]}])
def test_a_policy_that_is_open_is_seen(local: list[Object], opened: Object) -> None:
    named(local, "NetworkPolicy", "redis")["spec"]["ingress"] = [opened]
    assert ("stranger", "redis", 6379) in edges(local, OUTSIDE) - expected(local, LOCAL)


def test_without_the_default_all_is_open(production: list[Object]) -> None:
    left = [o for o in production if o["metadata"]["name"] != "default-deny"]
    assert ("feast-ui", "internet", 443) not in edges(left, OUTSIDE)
    for policy in of_kind(left, "NetworkPolicy"):
        policy["spec"]["policyTypes"] = ["Ingress"]
    assert ("feast-ui", "internet", 443) in edges(left, OUTSIDE)


def test_a_policy_for_another_label_cuts_its_clients_off(local: list[Object]) -> None:
    named(local, "NetworkPolicy", "redis-clients")["spec"]["podSelector"] = {
        "matchLabels": {"app.kubernetes.io/component": "apis"}
    }
    assert ("api", "redis", 6379) in expected(local, LOCAL) - edges(local, OUTSIDE)
