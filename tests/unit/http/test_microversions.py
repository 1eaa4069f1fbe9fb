# SPDX-License-Identifier: Apache-2.0
"""Microversions: what is asked for, what is given, and how refusals read."""

import pytest

from tricircle.errors import InvalidRequestError, NotAcceptableError
from tricircle.http.microversions import Version, answer_headers, negotiate, parse, request_headers, requested
from tricircle.model.pod import Service

LOW, HIGH = Version(2, 1), Version(2, 96)
Pairs = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "service", "expected"),
    [
        ([], Service.COMPUTE, None),
        ([(b"openstack-api-version", b"compute 2.79")], Service.COMPUTE, "2.79"),
        ([(b"openstack-api-version", b"Compute  latest ")], Service.COMPUTE, "latest"),
        ([(b"openstack-api-version", b"compute 2.79")], Service.BLOCK_STORAGE, None),
        ([(b"openstack-api-version", b"volume 3.5,compute 2.2, compute 2.3")], Service.COMPUTE, "2.3"),
        ([(b"openstack-api-version", b"volume 3.5")], Service.BLOCK_STORAGE, "3.5"),
        ([(b"x-openstack-nova-api-version", b"2.5")], Service.COMPUTE, "2.5"),
        (
            [(b"openstack-api-version", b"compute 2.6"), (b"x-openstack-nova-api-version", b"2.5")],
            Service.COMPUTE,
            "2.6",
        ),
        ([(b"x-openstack-nova-api-version", b"2.5")], Service.BLOCK_STORAGE, None),
        ([(b"openstack-api-version", b"nonsense")], Service.COMPUTE, None),
    ],
)
def test_what_is_asked_for(headers: Pairs, service: Service, expected: str | None) -> None:
    assert requested(headers, service) == expected


def test_what_is_given() -> None:
    def asked(text: bytes) -> Pairs:
        return [(b"openstack-api-version", b"compute " + text)]

    assert negotiate([], Service.COMPUTE, LOW, HIGH) == Version(2, 1)
    assert negotiate(asked(b"latest"), Service.COMPUTE, LOW, HIGH) == HIGH
    assert negotiate(asked(b"2.9"), Service.COMPUTE, LOW, HIGH) == Version(2, 9)
    with pytest.raises(NotAcceptableError, match=r"^Version 2\.97 is not .* Minimum is 2\.1 and maximum is 2\.96\.$"):
        negotiate(asked(b"2.97"), Service.COMPUTE, LOW, HIGH)


def test_cinder_takes_no_header_of_other_services_only() -> None:
    with pytest.raises(InvalidRequestError, match="malformed or otherwise incorrect"):
        negotiate([(b"openstack-api-version", b"compute 2.1")], Service.BLOCK_STORAGE, Version(3, 0), Version(3, 71))
    assert negotiate([(b"openstack-api-version", b"volume 3.1")], Service.COMPUTE, LOW, HIGH) == Version(2, 1)


@pytest.mark.parametrize(
    "text", ["2.latest", "2", "2.01", "0.1", "-1.2", "2.1.1", "", "zz", "2.1\n", f"2.{'9' * 5000}"]
)
def test_malformed_versions_are_refused_in_novas_words(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(text)
    assert caught.value.message == (
        f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
    )


def test_versions_compare_as_numbers() -> None:
    assert Version(2, 9) < Version(2, 10)


def test_headers_of_both_directions() -> None:
    assert request_headers(Service.BLOCK_STORAGE, Version(3, 5)) == [(b"openstack-api-version", b"volume 3.5")]
    assert answer_headers(Service.COMPUTE, Version(2, 79)) == [
        (b"openstack-api-version", b"compute 2.79"),
        (b"x-openstack-nova-api-version", b"2.79"),
        (b"vary", b"OpenStack-API-Version"),
        (b"vary", b"X-OpenStack-Nova-API-Version"),
    ]
