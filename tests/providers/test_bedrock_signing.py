"""Who asks Bedrock and where: keys, signatures, regions, and a whole exchange over a socket."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.session import Session

from flashlite import Flashlite
from flashlite.errors import AuthenticationError, ConfigError
from flashlite.middleware import RetryConfig
from flashlite.providers import resolve
from flashlite.providers.bedrock.address import address, region_of
from flashlite.providers.bedrock.library import botocore
from flashlite.providers.bedrock.signing import Keys, SigV4Credentials, sign
from flashlite.testing import ReplayTransport, Reply
from flashlite.wire import WireRequest

from .aws_frames import binary_stream
from .cases import plain

ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-session-token"
NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
OK = Reply.of(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
        "stopReason": "end_turn",
    }
)


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide what AWS knows of whoever runs the tests; nobody is to be asked over the network."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REGION_NAME", "AWS_SECURITY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


async def sent(model: str = MODEL, **options: Any) -> WireRequest:
    transport = ReplayTransport([OK])
    await Flashlite(f"bedrock/{model}", transport=transport).complete("Hi", **options)
    return transport.requests[0]


def signature(request: WireRequest) -> str:
    return request.headers["Authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("model", [MODEL, ARN])
def test_a_request_is_signed_as_botocores_client_signs_it(model: str, token: str | None) -> None:
    seen: list[Any] = []

    def keep(request: Any, **_: Any) -> AWSResponse:
        seen.append(request)
        return AWSResponse(request.url, 200, {}, _Answer())

    session = Session()
    session.set_credentials(ID, SECRET, token)
    client = session.create_client("bedrock-runtime", region_name="eu-west-1")
    client.meta.events.register("before-send.bedrock-runtime.Converse", keep)
    client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    (theirs,) = seen
    headers = {name: _text(value) for name, value in theirs.headers.items()}
    at = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = sign(WireRequest(url=theirs.url, body=theirs.body), Keys(ID, SECRET, token), at=at)
    assert ours.headers["Authorization"] == headers["Authorization"]
    assert ours.headers.get("X-Amz-Security-Token") == token


class _Answer:
    def stream(self, *_: Any, **__: Any) -> Iterator[Any]:
        yield OK.chunks[0]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_a_signature_is_what_the_documentation_makes_it_by_hand() -> None:
    wire = WireRequest(
        url=f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{MODEL}/converse",
        json={"messages": []},
    )
    signed = sign(wire, Keys(ID, SECRET), at=NOON)
    assert signed.body == b'{"messages":[]}'
    assert signed.headers == {
        "Content-Type": "application/json",
        "X-Amz-Date": "20260102T120000Z",
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={ID}/20260102/eu-west-1/bedrock/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=7cec1207f14f74875a30f2fc775fc62f93a6a2152d3d80754c8ba31160256028"
        ),
    }


async def test_each_request_is_signed_when_it_is_sent() -> None:
    times = iter([NOON, NOON.replace(hour=13)])
    prove = SigV4Credentials(clock=lambda: next(times))
    wire = WireRequest(url="https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ID)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        stamps = [(await prove(wire)).headers["X-Amz-Date"] for _ in range(2)]
    assert stamps == ["20260102T120000Z", "20260102T130000Z"]


@pytest.mark.usefixtures("keys")
async def test_what_is_signed_is_what_is_sent() -> None:
    request = await sent(extra_headers={"X-Team": "evals"})
    assert request.body is not None
    assert json.loads(request.body) == request.json
    assert "SignedHeaders=content-type;host;x-amz-date;x-team," in request.headers["Authorization"]


@pytest.mark.parametrize(
    "environment", [{}, {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET}]
)
async def test_a_bedrock_key_is_sent_as_it_is(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environment, "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    assert (await sent(api_key="of-the-call")).headers == {"Authorization": "Bearer of-the-call"}
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-environment")
    assert (await sent()).headers == {"Authorization": "Bearer of-the-environment"}


async def test_keys_of_a_session_may_stand_in_a_dotenv_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    lines = [f"{name}={value}" for name, value in {**named, "AWS_REGION": "eu-west-1"}.items()]
    (tmp_path / ".env").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    request = await sent()
    assert request.headers["X-Amz-Security-Token"] == TOKEN
    assert f"Credential={ID}/" in request.headers["Authorization"]


async def test_keys_and_region_may_be_a_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile lab]\nregion = us-gov-west-1\n")
    (tmp_path / "credentials").write_text(
        f"[lab]\naws_access_key_id = OFTHELAB\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "lab")
    request = await sent()
    assert request.url.startswith("https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/")
    assert "Credential=OFTHELAB/" in request.headers["Authorization"]
    assert "/us-gov-west-1/bedrock/aws4_request" in request.headers["Authorization"]


@pytest.mark.parametrize(("minutes", "fetched"), [(60, 1), (5, 3)])
async def test_keys_that_are_about_to_expire_are_fetched_anew(
    minutes: int, fetched: int, tmp_path: Path
) -> None:
    count, expiry = tmp_path / "count", datetime.now(UTC) + timedelta(minutes=minutes)
    script = tmp_path / "keys.py"
    script.write_text(
        "import json, pathlib\n"
        f"with pathlib.Path({str(count)!r}).open('a') as file: file.write('x')\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': 'K', 'SecretAccessKey': 's',"
        f" 'SessionToken': 't', 'Expiration': {expiry.isoformat()!r}}}))\n"
    )
    (tmp_path / "config").write_text(
        f"[default]\nregion = eu-west-1\ncredential_process = {sys.executable} -S {script}\n"
    )
    prove = SigV4Credentials(clock=lambda: NOON)
    wire = WireRequest(url="https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse")
    for _ in range(2):
        assert (await prove(wire)).headers["X-Amz-Security-Token"] == "t"
    assert len(count.read_text()) == fetched


async def test_many_first_requests_look_for_keys_once(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"
    )
    prove = SigV4Credentials(clock=lambda: NOON)
    wire = WireRequest(url="https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse")
    many = await asyncio.gather(*(prove(wire) for _ in range(100)))
    assert len({one.headers["Authorization"] for one in many}) == 1


def test_a_library_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"bedrock needs botocore: pip install botocore"):
        botocore("of_another_age")


@pytest.mark.parametrize("profile", [None, "nobody"])
async def test_missing_keys_are_named_and_nothing_is_sent(
    profile: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(ConfigError) as caught:
        await sent()
    assert str(caught.value) == (
        "AWS gave no credentials for bedrock: The config profile (nobody) could not be found"
        if profile
        else "no AWS credentials for bedrock: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "AWS_PROFILE or AWS_BEARER_TOKEN_BEDROCK, or pass api_key=... (a Bedrock API key)"
    )


async def test_a_missing_region_is_named_and_nothing_is_sent() -> None:
    with pytest.raises(ConfigError) as caught:
        await sent(api_key="a-test-key")
    assert str(caught.value) == "no region for bedrock: set AWS_REGION, such as us-east-1"


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ("us-east-1", "us-east-1.amazonaws.com"),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
        ("us-iso-east-1", "us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "us-isob-east-1.sc2s.sgov.gov"),
        ("eusc-de-east-1", "eusc-de-east-1.amazonaws.eu"),
    ],
)
@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REGION_NAME"])
def test_each_region_has_an_address(
    variable: str, region: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, region)
    assert address() == f"https://bedrock-runtime.{place}"


def test_a_region_cannot_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "x.evil.example/")
    with pytest.raises(ConfigError, match=r"'x.evil.example/' is no AWS region: set AWS_REGION"):
        address()


def test_a_request_is_signed_for_the_region_of_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    vpc = "https://vpce-1-a.bedrock-runtime.us-east-1.vpce.amazonaws.com/model/m/converse"
    assert region_of(vpc) == "us-east-1"
    assert region_of("https://bedrock-runtime-fips.us-west-2.amazonaws.com/model") == "us-west-2"
    assert region_of("http://127.0.0.1:9/model/m/converse") == "eu-west-1"


@pytest.mark.parametrize(
    "variable", ["AWS_BEDROCK_RUNTIME_ENDPOINT", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
)
@pytest.mark.usefixtures("keys")
async def test_the_address_may_be_another(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    request = await sent()
    assert request.url == f"http://127.0.0.1:9/model/{MODEL}/converse"
    assert "/eu-west-1/bedrock/aws4_request" in request.headers["Authorization"]


@pytest.mark.parametrize("prefix", ["bedrock", "bedrock_converse"])
def test_bedrock_is_spoken_natively(prefix: str) -> None:
    route = resolve(f"{prefix}/{MODEL}")
    assert (route.provider, route.model) == ("bedrock", MODEL)
    assert resolve(f"{prefix}/{ARN}").model == ARN


@pytest.mark.parametrize("model", ["invoke/anthropic.claude-v2", "us-west-2/meta.llama3-8b"])
def test_what_litellm_names_for_other_apis_is_litellms(model: str) -> None:
    route = resolve(f"bedrock/{model}")
    assert (route.provider, route.model) == ("litellm", f"bedrock/{model}")


@asynccontextmanager
async def gate(reply: Reply) -> AsyncGenerator[tuple[str, list[str]]]:
    """Serve one reply on loopback to whoever signed his request as AWS would check it."""
    paths: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        paths.append(request.raw_path)
        if not _is_signed(request, await request.read()):
            return web.json_response(
                {"message": "The request signature we calculated does not match."},
                status=403,
                headers={"x-amzn-errortype": "InvalidSignatureException"},
            )
        response = web.StreamResponse(headers=dict(reply.headers))
        await response.prepare(request)
        for chunk in reply.chunks:
            assert isinstance(chunk, bytes)
            await response.write(chunk)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", paths
    finally:
        await runner.cleanup()


def _is_signed(request: web.Request, body: bytes) -> bool:
    """Sign what arrived, path and all, and compare."""
    told = request.headers["Authorization"]
    names = told.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    again = AWSRequest(
        method=request.method,
        url=f"http://{request.host}{request.raw_path}",
        data=body,
        headers={name: request.headers[name] for name in names if name != "host"},
    )
    again.context["timestamp"] = request.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(ID, SECRET), "bedrock", "eu-west-1")
    text = signer.string_to_sign(again, signer.canonical_request(again))
    return told.endswith(f"Signature={signer.signature(text, again)}")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("model", [MODEL, ARN])
async def test_a_signed_request_arrives_as_it_was_signed(model: str) -> None:
    async with gate(OK) as (url, paths), Flashlite(f"bedrock/{model}", base_url=url) as client:
        response = await client.complete("Grüezi 😀")
    assert response.content == "ok"
    assert paths == [f"/model/{model.replace('/', '%2F')}/converse"]


@pytest.mark.usefixtures("keys")
async def test_a_binary_stream_arrives_over_a_socket() -> None:
    reply = binary_stream(
        [
            ["messageStart", {"role": "assistant"}],
            ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}],
            ["contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}],
            ["messageStop", {"stopReason": "end_turn"}],
            ["metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}],
        ]
    )
    async with gate(reply) as (url, paths), Flashlite("bedrock/m.x", base_url=url) as client:
        events = [event async for event in client.stream("Hi")]
    assert paths == ["/model/m.x/converse-stream"]
    assert [plain(event) for event in events] == [
        ["token", "Hel", 0],
        ["token", "lo", 0],
        ["usage", {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}, 0],
        ["done"],
    ]
    assert events[-1].data.content == "Hello"


@pytest.mark.usefixtures("keys")
async def test_wrong_keys_are_an_authentication_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-that-AWS-knows")
    once = RetryConfig(max_attempts=1)
    async with (
        gate(OK) as (url, _),
        Flashlite("bedrock/m.x", base_url=url, retry=once) as client,
    ):
        with pytest.raises(AuthenticationError) as caught:
            await client.complete("Hi")
    assert caught.value.code == "InvalidSignatureException"
    assert "not-the-secret" not in str(caught.value)
