"""The suites: whose they are, at which version, what is run of them, and what is known to differ."""

from __future__ import annotations

from dataclasses import dataclass, field

HERE = "-e ."  # this checkout, instead of a package

# What only differs at our route, and why: everything else that passes at the other route must pass here too.
THINKING = (
    "LiteLLM writes `signature: null` into the thinking that it hands on as Anthropic's, which the strict "
    "client refuses ([upstream.md](upstream.md), 8). `dashscope/` does not get there: it drops `thinking`, "
    "which `qwen_ai/` honours; with a model that thinks unasked it writes the same"
)


@dataclass(frozen=True)
class Suite:
    """A suite of somebody else's.

    Attributes:
        package: Where it comes from: the distribution's name on PyPI.
        version: Which one.
        title: What is run of it, for the table.
        way: `proxy` or `in process`.
        tests: Files or folders in the source distribution; with `own_models`, classes of `langchain_chat.py`.
        chosen: pytest's `-k`, where not all of that is about chat.
        installed: What pip installs for it, besides pytest.
        own_models: It comes as classes to derive from, and is installed: no source distribution is needed.
        known: Tests, as `Class::function` or `function`, that fail only here, and why.
        remark: For the table's notes.
    """

    package: str
    version: str
    title: str
    way: str
    tests: tuple[str, ...]
    installed: tuple[str, ...]
    chosen: str = ""
    own_models: bool = False
    known: dict[str, str] = field(default_factory=dict)
    remark: str = ""

    @property
    def environment(self) -> str:
        """The folder in the checkout that its packages live in."""
        return f".venv-conformance-{self.package}"


_LANGCHAIN = ("langchain-litellm==0.11.2", "langchain-openai==1.7.4", HERE)

SUITES = (
    Suite(
        "langchain-tests",
        "1.1.9",
        "standard tests, ChatLiteLLM",
        "in process",
        ("TestChatLiteLLM",),
        _LANGCHAIN,
        own_models=True,
        remark="What fails at both: ChatLiteLLM overlooks `model=` of a call and does not say which format "
        "it asked for; pictures are fetched from the internet, which is not there.",
    ),
    Suite(
        "langchain-tests",
        "1.1.9",
        "standard tests, ChatOpenAI",
        "proxy",
        ("TestChatOpenAI",),
        _LANGCHAIN,
        own_models=True,
        remark="What fails at both: pictures are fetched from the internet, which is not there.",
    ),
    Suite(
        "openai",
        "3.57.0",
        "chat completions",
        "proxy",
        ("tests/api_resources/chat/test_completions.py",),
        ("openai[aiohttp]==3.57.0", "inline-snapshot", "dirty-equals"),
        chosen="create",
        remark="Without the tests of stored completions: neither the proxy nor Qwen stores any. What fails "
        "at both: a negative `seed`, outside what Qwen documents.",
    ),
    Suite(
        "anthropic",
        "2.14.0",
        "messages",
        "proxy",
        ("tests/api_resources/test_messages.py",),
        ("anthropic[aiohttp]==2.14.0", "inline-snapshot", "dirty-equals", "http-snapshot", "respx", "httpx2"),
        known=dict.fromkeys(
            (
                "TestMessages::test_method_create_with_all_params_overload_1[strict]",
                "TestAsyncMessages::test_method_create_with_all_params_overload_1[strict]",
                "TestAsyncMessages::test_method_create_with_all_params_overload_1[aiohttp]",
            ),
            THINKING,
        ),
        remark="What fails at both: LiteLLM's token counter stops at tools whose properties are no schemas.",
    ),
    Suite(
        "instructor",
        "1.17.0",
        "core providers, as openai and as anthropic",
        "proxy",
        ("tests/llm/test_core_providers",),
        ("instructor==1.17.0", "anthropic", "python-dotenv"),
        remark="Skipped: what instructor itself offers for neither of the two.",
    ),
)

# What was asked for and cannot be had.
ABSENT = {
    "dspy": "Its source distribution on PyPI (3.4.1) has two test files, neither about models: there is no "
    "suite to have at a pinned version. dspy itself is among the clients ([clients.md](clients.md)).",
}
