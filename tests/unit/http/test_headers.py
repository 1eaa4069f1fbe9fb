# SPDX-License-Identifier: Apache-2.0
"""Headers: nothing that claims an identity goes in, nothing that tells an origin comes out."""

from tricircle.http.headers import to_client, to_identity, to_upstream

SPOOFED = [
    (b"x-auth-token", b"mine"),
    (b"x-service-token", b"stolen"),
    (b"x-user-id", b"admin"),
    (b"x-roles", b"admin"),
    (b"x-project-id", b"other"),
    (b"x-identity-status", b"Confirmed"),
    (b"x-forwarded-host", b"evil"),
    (b"forwarded", b"for=evil"),
    (b"host", b"evil"),
    (b"connection", b"close"),
    (b"cookie", b"a=b"),
    (b"accept-encoding", b"gzip"),
    (b"x-openstack-request-id", b"req-evil"),
    (b"authorization", b"Basic x"),
]
WANTED = [
    (b"content-type", b"application/json"),
    (b"openstack-api-version", b"compute 2.79"),
    (b"if-match", b"revision_number=3"),
    (b"range", b"bytes=0-9"),
]


def test_only_the_callers_token_goes_to_an_upstream() -> None:
    sent = to_upstream([*SPOOFED, *WANTED], token="mine", request_id="req-1")
    assert sorted(sent) == sorted(
        [
            *WANTED,
            (b"x-auth-token", b"mine"),
            (b"accept-encoding", b"identity"),
            (b"x-openstack-request-id", b"req-1"),
        ]
    )


def test_keystone_is_sent_credentials_too_but_no_service_token() -> None:
    sent = to_identity([*SPOOFED, *WANTED, (b"x-subject-token", b"other")], request_id="req-1")
    names = [name for name, _ in sent]
    assert {b"x-auth-token", b"x-subject-token", b"authorization"} <= set(names)
    assert names.count(b"x-auth-token") == 1
    assert not {b"x-service-token", b"x-user-id", b"host", b"cookie"} & set(names)


def test_nothing_that_tells_an_origin_goes_to_a_client() -> None:
    hidden = [
        (b"server", b"Apache/2.4 (pod1-api-3)"),
        (b"via", b"1.1 pod1-proxy"),
        (b"x-powered-by", b"x"),
        (b"set-cookie", b"SERVERID=pod1-api-3"),
        (b"www-authenticate", b'Keystone uri="http://pod1"'),
        (b"openstack-image-store-ids", b"pod1-ceph"),
        (b"warning", b"199 pod1-api-3 stale"),
        (b"x-openstack-request-id", b"req-pod1-api-3"),
        (b"strict-transport-security", b"max-age=1"),
    ]
    shown = [
        (b"content-type", b"application/json"),
        (b"vary", b"a"),
        (b"vary", b"b"),
        (b"x-compute-request-id", b"req-2"),
    ]
    assert to_client([*hidden, *shown, (b"x-subject-token", b"t")]) == shown
    assert to_client([*hidden, (b"x-subject-token", b"t")], is_identity=True) == [(b"x-subject-token", b"t")]
    assert to_client([(b"x-openstack-request-id", b"req-2")]) == [(b"x-openstack-upstream-request-id", b"req-2")]
