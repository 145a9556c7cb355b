"""The commands by which the page on deployment has the passwords of users.acl replaced."""

import re
from pathlib import Path

from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.redis_access import connections
from tests.integration.deploy.files import DEPLOY, checked, on_path

_COMMANDS = re.compile(r"^    install -m 640 -g redis .*?^    done$", re.MULTILINE | re.DOTALL)


async def test_the_commands_of_the_page_give_each_user_another_password(
    server_binary: ServerBinary, tmp_path: Path
) -> None:
    on_path("openssl")
    page = (DEPLOY / "README.md").read_text()
    (found,) = _COMMANDS.findall(page)
    file = tmp_path / "users.acl"
    commands = found.replace("-g redis ", "").replace("/etc/redis/users.acl", str(file))

    checked("bash", "-euc", f"cd {DEPLOY.parent} && {commands.strip()}")

    passwords = dict(re.findall(r"^user (\S+) on >(\S+) ", file.read_text(), re.MULTILINE))
    assert "REPLACE" not in file.read_text()
    assert len(set(passwords.values())) == len(passwords) > 10
    assert file.stat().st_mode & 0o777 == 0o640
    server = RedisServer(
        server_binary,
        tmp_path / "redis",
        # Who asks whether it has started is the default user, which the file turns off.
        options=("--aclfile", str(_with_a_default_user(file))),
    )
    server.start()
    try:
        url = server.url.replace("redis://", f"redis://receiver:{passwords['receiver']}@")
        async with connections.control(url) as client:
            assert await client.ping()
    finally:
        server.stop()


def _with_a_default_user(file: Path) -> Path:
    other = file.with_name("open.acl")
    text = file.read_text()
    assert text.startswith("user default off\n")
    other.write_text(text.replace("user default off", "user default on nopass ~* +@all", 1))
    return other
