"""Who we are in AWS, and the clients that speak for us.

`resolve` answers without the network, so that ``--target auto`` costs nothing: it looks where boto3 looks, in boto3's
order, and says which credentials would be used. Whether AWS accepts them shows at the first call. The one exception is
an EC2 instance with a role: only on EC2 hardware, and only for seconds, its own metadata service is asked.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_auto.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.pipeline.aws.calls import Caller

#: What the calls of this file need. ``sts:GetCallerIdentity`` cannot be denied by a policy and is free.
PERMISSIONS = ("sts:GetCallerIdentity",)

#: Hardware of EC2 says so here; the file is readable by everybody.
DMI_VENDOR = Path("/sys/class/dmi/id/sys_vendor")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Where credentials would come from.

    Attributes:
        how: for people, such as ``profile prod (sso)``.
        profile: the profile in use, None when the environment or the machine gives the credentials.
        region: None when neither environment nor profile names one.
    """

    how: str
    profile: str | None = None
    region: str | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """The account and region that a source reads."""

    account: str
    region: str
    partition: str = "aws"


def resolve(environ: Mapping[str, str], *, dmi_vendor: Path = DMI_VENDOR) -> Identity | None:
    """The credentials that boto3 would use, None when there are none.

    Args:
        environ: the process environment.
        dmi_vendor: the file in which the hardware names its maker.

    Raises:
        CredentialsError: ``AWS_PROFILE`` names a profile that does not exist, or a file cannot be parsed.
    """
    profiles = _profiles(environ)
    name = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
    profile = profiles.get(name or "default", {})
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.get("region")
    if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
        return Identity(how="environment variable AWS_ACCESS_KEY_ID", region=region)
    if name and name not in profiles:
        raise CredentialsError(
            f"no such profile; there: {', '.join(sorted(profiles)) or 'none'}",
            where=f"AWS_PROFILE={name}",
            hint="correct AWS_PROFILE, or create the profile with: aws configure sso",
        )
    if method := _method(profile):
        return Identity(how=f"profile {name or 'default'} ({method})", profile=name or "default", region=region)
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environ.get("AWS_ROLE_ARN"):
        return Identity(how="web identity token", region=region)
    if environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") or environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return Identity(how="container role", region=region)
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true" and _on_ec2(dmi_vendor) and _has_instance_role():
        return Identity(how="EC2 instance role", region=region)
    return None


class Clients:
    """boto3 clients of one identity, made once each. Fulfils `aws_auto.pipeline.aws.calls.ClientMaker`."""

    def __init__(self, environ: Mapping[str, str], *, region: str | None = None) -> None:
        identity = resolve(environ)
        self._environ = dict(environ)
        self._profile = identity.profile if identity else None
        self._region = region or (identity.region if identity else None)
        self._session: Any = None
        self._made: dict[tuple[str, str | None], Any] = {}

    @property
    def region(self) -> str | None:
        """The region of clients that ask for none."""
        return self._region

    def client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 clients have no type
        """The client of that service: one attempt a call, endpoints as AWS_ENDPOINT_URL and its kin say."""
        key = (service, region or self._region)
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

    def place(self, caller: Caller) -> Place:
        """Account and region that we speak for; one free call.

        Raises:
            CredentialsError: AWS does not know us.
            AwsCallError: no region is set, or AWS cannot be reached.
        """
        account = str(caller.call("sts", "GetCallerIdentity")["Account"])
        client = self.client("sts")
        return Place(account=account, region=str(client.meta.region_name), partition=str(client.meta.partition))

    def _make(self, service: str, region: str | None) -> Any:  # noqa: ANN401 - boto3 clients have no type
        from botocore.config import Config

        if self._session is None:
            self._session = self._open()
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            user_agent_extra="aws-auto",
        )
        endpoint = self._endpoint(service)
        return self._session.client(service, region_name=region, endpoint_url=endpoint, config=config)

    def _open(self) -> Any:  # noqa: ANN401 - boto3 sessions have no type
        import boto3
        import botocore.session

        core = botocore.session.Session()
        core.set_config_variable("config_file", str(_file(self._environ, "AWS_CONFIG_FILE", "config")))
        core.set_config_variable(
            "credentials_file", str(_file(self._environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials"))
        )
        core.set_config_variable("metadata_service_timeout", 1)
        core.set_config_variable("metadata_service_num_attempts", 1)
        if self._profile:
            return boto3.Session(botocore_session=core, profile_name=self._profile, region_name=self._region)
        return boto3.Session(
            botocore_session=core,
            region_name=self._region,
            aws_access_key_id=self._environ.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self._environ.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=self._environ.get("AWS_SESSION_TOKEN"),
        )

    def _endpoint(self, service: str) -> str | None:
        if self._environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
            return None
        model = self._session._session.get_service_model(service)  # noqa: SLF001 - boto3 has no other way to the service id
        own = "AWS_ENDPOINT_URL_" + str(model.service_id).replace(" ", "_").upper()
        return self._environ.get(own) or self._environ.get("AWS_ENDPOINT_URL") or None


def _file(environ: Mapping[str, str], variable: str, name: str) -> Path:
    home = environ.get("HOME")
    given = environ.get(variable)
    if given:
        return Path(given).expanduser()
    return (Path(home) if home else Path.home()) / ".aws" / name


def _profiles(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Profiles of both files; a key of the credentials file wins."""
    found: dict[str, dict[str, str]] = {}
    for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        path = _file(environ, variable, name)
        if not path.is_file():
            continue
        parser = configparser.RawConfigParser(default_section="\0", strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (configparser.Error, OSError, UnicodeDecodeError) as error:
            raise CredentialsError(
                f"cannot be read: {str(error).splitlines()[0]}", where=str(path), hint="correct the file"
            ) from error
        for section in parser.sections():
            kind, _, rest = section.partition(" ")
            if name == "config" and section != "default" and kind != "profile":
                continue
            profile = rest.strip() if name == "config" and kind == "profile" else section
            found.setdefault(profile, {}).update(parser.items(section))
    return found


def _method(profile: Mapping[str, str]) -> str | None:
    """How boto3 would get credentials from that profile, in its order."""
    ways = {
        "role_arn": "assumed role",
        "sso_session": "sso",
        "sso_start_url": "sso",
        "aws_access_key_id": "access key",
        "login_session": "login",
        "credential_process": "credential process",
    }
    return next((way for key, way in ways.items() if profile.get(key)), None)


def _on_ec2(dmi_vendor: Path) -> bool:
    try:
        return dmi_vendor.read_text(encoding="utf-8").strip() == "Amazon EC2"
    except OSError:
        return False


def _has_instance_role() -> bool:
    from botocore.utils import InstanceMetadataFetcher

    return bool(InstanceMetadataFetcher(timeout=1, num_attempts=1).retrieve_iam_role_credentials())
