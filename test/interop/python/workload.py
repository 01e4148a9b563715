"""A workload that uses the Python package spiffe. It finds the Workload API through SPIFFE_ENDPOINT_SOCKET.

workload.py fetch ID AUDIENCE   fetches, and verifies locally and through the Workload API
workload.py watch UPDATES       reports each X.509 update until there were that many

Prints one JSON line per check.
"""

import json
import sys
import threading
from datetime import datetime, timezone

from cryptography.x509 import Certificate
from spiffe import JwtSource, JwtSvid, SpiffeId, WorkloadApiClient, X509Source

LIMIT_SECONDS = 30
failed = False


def report(check, ok, detail=None):
    """Prints what was found."""
    global failed
    failed = failed or not ok
    print(json.dumps({"check": check, "ok": ok, "detail": detail}), flush=True)


def run(check, function):
    """Performs a check: it holds unless the function raises, and what the function returns is its detail."""
    try:
        detail = function()
    except Exception as error:  # the error is the finding
        report(check, False, f"{type(error).__name__}: {error}")
    else:
        report(check, True, detail)


def describe(svid):
    """The facts of an X509-SVID that the reader compares."""
    return {
        "id": str(svid.spiffe_id),
        "serial": format(svid.leaf.serial_number, "x"),
        "notAfter": svid.leaf.not_valid_after_utc.isoformat(),
    }


def check_signed(leaf: Certificate, bundle):
    """Raises unless one of the bundle's authorities signed the certificate, which is valid now."""
    now = datetime.now(timezone.utc)
    assert leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc, "not valid now"
    issuers = [authority for authority in bundle.x509_authorities if authority.subject == leaf.issuer]
    assert issuers, "no authority has the issuer's name"
    for issuer in issuers:
        leaf.verify_directly_issued_by(issuer)


def fetch(expected: SpiffeId, audience: str):
    """Every call once, and both sources."""
    client = WorkloadApiClient(default_timeout=LIMIT_SECONDS)

    def x509_context():
        context = client.fetch_x509_context()
        svid = context.default_svid
        assert svid.spiffe_id == expected, svid.spiffe_id
        bundle = context.x509_bundle_set.get_bundle_for_trust_domain(expected.trust_domain)
        check_signed(svid.leaf, bundle)
        return describe(svid)

    def x509_bundles():
        bundle = client.fetch_x509_bundles().get_bundle_for_trust_domain(expected.trust_domain)
        assert bundle is not None and bundle.x509_authorities, "no authorities"
        return len(bundle.x509_authorities)

    def jwt_svid():
        svid = client.fetch_jwt_svid({audience})
        assert svid.spiffe_id == expected, svid.spiffe_id
        bundle = client.fetch_jwt_bundles().get_bundle_for_trust_domain(expected.trust_domain)
        return str(JwtSvid.parse_and_validate(svid.token, bundle, {audience}).spiffe_id)

    def validation():
        token = client.fetch_jwt_svid({audience}, subject=expected).token
        return str(client.validate_jwt_svid(token, audience).spiffe_id)

    def wrong_audience():
        token = client.fetch_jwt_svid({audience}).token
        try:
            client.validate_jwt_svid(token, "another")
        except Exception as error:  # any refusal will do, the text is for the reader
            return str(error)
        raise AssertionError("accepted")

    def x509_source():
        source = X509Source(timeout_in_seconds=LIMIT_SECONDS)
        try:
            svid = source.get_x509_context().default_svid
            assert svid.spiffe_id == expected, svid.spiffe_id
            return describe(svid)
        finally:
            source.close()

    def jwt_source():
        source = JwtSource(timeout_in_seconds=LIMIT_SECONDS)
        try:
            bundle = source.get_bundle_for_trust_domain(expected.trust_domain)
            svid = source.fetch_svid({audience})
            return str(JwtSvid.parse_and_validate(svid.token, bundle, {audience}).spiffe_id)
        finally:
            source.close()

    run("X.509 context holds a signed SVID", x509_context)
    run("X.509 bundles", x509_bundles)
    run("JWT-SVID that the bundle verifies", jwt_svid)
    run("the Workload API validates the token", validation)
    run("the Workload API refuses the token for another audience", wrong_audience)
    run("X509Source", x509_source)
    run("JwtSource", jwt_source)
    client.close()


def watch(updates: int):
    """Reports what a stream brings."""
    client = WorkloadApiClient()
    enough = threading.Event()
    seen = 0

    def update(context):
        nonlocal seen
        if seen < updates:
            seen += 1
            report("update", True, [describe(svid) for svid in context.x509_svids])
        if seen == updates:
            enough.set()

    handle = client.stream_x509_contexts(update, lambda error: print(error, file=sys.stderr))
    report("all updates came", enough.wait(LIMIT_SECONDS), seen)
    handle.cancel()
    client.close()


def main(command, *arguments):
    """Runs one of the commands."""
    if command == "fetch":
        fetch(SpiffeId(arguments[0]), arguments[1])
    elif command == "watch":
        watch(int(arguments[0]))
    report("complete", not failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
