"""The plans that keys are issued for: one table of data, and what it says of a key and an address.

A key works at its own plan's address. Elsewhere it is refused, or billed by another plan's rules.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

CUSTOM = "custom"
"""What stands for a plan where a key is for an address of the user's own."""

STANDARD = ("sk-", "sk-ws-")
PREPAID = ("sk-sp-",)
#: When the table was true. For addresses and keys: the pages named below, QwenLM/qwen-code #10621,
#: earendil-works/pi #6858.
AS_OF = "July 2026"
_HELP = "https://www.alibabacloud.com/help/en/model-studio"
_STUDIO = "programs and back ends too", f"{_HELP}/more-tools"
_CODING = "interactive coding tools; no scripts, no back ends", f"{_HELP}/other-tools-coding-plan"
_TOKEN = "interactive coding tools; no scripts, no back ends", f"{_HELP}/other-tools-token-plan"
#: An address without the path of a plan: none, that of Model Studio's own API, or what other servers have.
#: (Patterns are compiled when they are needed: this is loaded with every `import litellm`.)
_PATHLESS = r"(?i)(?P<scheme>https?://)?(?P<host>[^/:?#@]+)(:443)?/*(api/v1|compatible-mode|v1)?/*"

#: What a key or an address was copied with, and what to call that.
_QUOTES = r"""(?s)["'`\u2018-\u201f]|.*["'`\u2018-\u201f]$""", "in quotes"
_HEADER = r"(?i)(Authorization:\s*)?Bearer\s", "behind the name of a header"
_VARIABLE = r"(export\s+|set\s+)?[A-Za-z_]\w*=[^=]", "behind the name of a variable"
_BRACKETS = r"(?s)[\[{]|.*[\]}]$", "in brackets, as in JSON"


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan in one region."""

    name: str  # what `--plan` takes
    title: str
    base_url: str
    keys: tuple[str, ...]  # what its keys begin with; of Token Plan's it is said that they need not
    allows: str  # what its terms allow
    source: str

    @property
    def host(self) -> str:
        """The host of its address."""
        return urlsplit(self.base_url).netloc


PLANS: tuple[Plan, ...] = (
    Plan(
        "beijing",
        "Model Studio, Beijing",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        STANDARD,
        *_STUDIO,
    ),
    Plan(
        "singapore",
        "Model Studio, Singapore",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        STANDARD,
        *_STUDIO,
    ),
    Plan(
        "virginia",
        "Model Studio, Virginia",
        "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
        STANDARD,
        *_STUDIO,
    ),
    Plan("coding-china", "Coding Plan, China", "https://coding.dashscope.aliyuncs.com/v1", PREPAID, *_CODING),
    Plan(
        "coding-intl",
        "Coding Plan, international",
        "https://coding-intl.dashscope.aliyuncs.com/v1",
        PREPAID,
        *_CODING,
    ),
    Plan(
        "token-beijing",
        "Token Plan, Beijing",
        "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
        PREPAID,
        *_TOKEN,
    ),
    Plan(
        "token-singapore",
        "Token Plan, Singapore",
        "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
        PREPAID,
        *_TOKEN,
    ),
)
_BY_NAME = {plan.name: plan for plan in PLANS}
_BY_HOST = {plan.host: plan for plan in PLANS}


def plan_named(name: str) -> Plan | None:
    """The plan of that name; None for `custom` and what is none."""
    return _BY_NAME.get(name)


@functools.lru_cache(maxsize=64)  # asked at every call with a key
def plan_at(base_url: str) -> Plan | None:
    """The plan whose host an address names; None for every other server."""
    try:
        host = urlsplit(base_url if "://" in base_url else f"//{base_url}").hostname
    except ValueError:
        return None  # no address at all, which others say
    return _BY_HOST.get(host or "")


@functools.lru_cache(maxsize=64)  # as above
def completed(base_url: str) -> str:
    """A base URL for chat: a plan's host alone, or with the path of another API, gets the plan's own path.

    `https://dashscope-intl.aliyuncs.com/api/v1` -> `https://dashscope-intl.aliyuncs.com/compatible-mode/v1`.
    All else stays as it is.
    """
    found = re.fullmatch(_PATHLESS, base_url.strip())
    plan = _BY_HOST.get(found["host"].lower()) if found else None
    if found is None or plan is None:
        return base_url
    return f"{found['scheme'] or ''}{plan.base_url.removeprefix('https://')}"


def wrapping(text: str, *, surely: bool = False) -> str:
    """What a key or an address stands in or behind, as at the end of a sentence; empty if it stands alone.

    `surely`: only what no server can take as part of it; one of the user's own may name its keys as it likes.
    """
    for pattern, what in (_QUOTES, _HEADER) if surely else (_QUOTES, _HEADER, _VARIABLE, _BRACKETS):
        if re.match(pattern, text):
            return what
    return ""


def mismatch(key: str, base_url: str, kept_for: str | None = None) -> str:
    """Why a key looks like one for another address, in a sentence that holds nothing of it; mostly empty.

    It is a guess, from what keys begin with: no reason to refuse anything.

    Args:
        key: The key.
        base_url: Where it goes.
        kept_for: The name of the plan that it was kept for, if it was.
    """
    there = plan_at(base_url)
    if there is None:
        return ""
    meant = plan_named(kept_for) if kept_for else None
    if meant is not None and meant is not there:
        return f"The key was kept for {meant.title}, but goes to {there.host} ({there.title})."
    prepaid = key.startswith(PREPAID)
    if prepaid and there.keys == STANDARD:
        return (
            "The key begins with sk-sp-, as those of Coding Plan and Token Plan do, but goes to "
            f"{there.host} ({there.title}), where it is refused or billed as pay as you go."
        )
    if not prepaid and key.startswith(STANDARD) and there.keys == PREPAID:
        return (
            f"The key looks like a standard one of Model Studio, but goes to {there.host} ({there.title}), "
            "whose keys as a rule begin with sk-sp-."
        )
    return ""


MEND = "`litellm-qwen-ai models` lists each plan's address."
"""What to do about a mismatch."""
