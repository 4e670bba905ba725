from __future__ import annotations

import importlib
import pickle
import sys
from types import SimpleNamespace

import pytest

from litellm_qwen_ai.oauth import errors
from litellm_qwen_ai.oauth.kernel import in_notebook


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    named = {
        line.split()[-1] if depth == 0 else next(word for word in line.split() if word.endswith("Error"))
        for depth, line in enumerate(errors.__doc__.split("\n\n")[1].splitlines())
    }
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.QwenAuthError)
    }
    assert named == classes


@pytest.mark.parametrize(
    ("child", "parents"),
    [
        (errors.ConfigurationError, (errors.QwenAuthError, ValueError)),
        (errors.LoginExpiredError, (errors.NotLoggedInError,)),
        (errors.LoginDeniedError, (errors.LoginError,)),
        (errors.LoginTimedOutError, (errors.LoginError,)),
        (errors.LoginCancelledError, (errors.LoginError,)),
        (errors.LoginRefusedError, (errors.LoginError,)),
        (errors.LoginNotStartedError, (errors.LoginError,)),
        (errors.CorruptCredentialsError, (errors.StoreError,)),
        (errors.ReadOnlyStoreError, (errors.StoreError,)),
        (errors.LockTimeoutError, (errors.StoreError,)),
    ],
)
def test_who_is_whose_child(child: type[Exception], parents: tuple[type[Exception], ...]) -> None:
    assert child.__bases__ == parents


def test_a_store_error_never_means_not_logged_in() -> None:
    assert not issubclass(errors.StoreError, errors.NotLoggedInError)


def test_an_error_survives_pickling_with_its_retry_after() -> None:
    copy = pickle.loads(pickle.dumps(errors.RefreshError("later", retry_after=7.5)))  # noqa: S301  # our own
    assert (str(copy), copy.retry_after) == ("later", 7.5)


@pytest.mark.parametrize(
    "name", [*sorted(errors.QwenAuthError.__subclasses__(), key=str)], ids=lambda kind: kind.__name__
)
def test_an_error_pickled_by_an_earlier_version_is_read(name: type[Exception]) -> None:
    pickled = f"clitellm_qwen_ai.oauth.errors\n{name.__name__}\n(Vwhat happened\ntR.".encode()
    assert str(pickle.loads(pickled)) == "what happened"  # noqa: S301  # our own


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("litellm-qwen-ai login", "`litellm_qwen_ai.login()` in a cell"),
        ("litellm-qwen-ai login --account work", '`litellm_qwen_ai.login("work")` in a cell'),
    ],
)
def test_in_a_notebook_the_cell_that_logs_in_is_named(
    command: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "in_notebook", lambda: True)
    assert f"Run {told}, or `{command}` in a terminal" in str(errors.not_logged_in("a file", command))


@pytest.mark.parametrize(
    ("shell", "notebook"),
    [
        (None, False),
        (SimpleNamespace(), False),
        (SimpleNamespace(kernel=None), False),
        (SimpleNamespace(kernel=1), True),
    ],
)
def test_a_notebook_is_a_shell_with_a_kernel(
    monkeypatch: pytest.MonkeyPatch, shell: object, notebook: bool
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is notebook


def test_each_error_says_where_why_and_which_command_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (None, "", " "):
        if key is not None:
            monkeypatch.setenv("DASHSCOPE_API_KEY", key)
        assert str(errors.not_logged_in("a file", "log-in")) == (
            "Not logged in to Qwen: there is no login in a file. Run `log-in`."
        )
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-x")
    assert str(errors.not_logged_in("a file", "log-in")) == (
        "Not logged in to Qwen: there is no login in a file. Run `log-in`. DASHSCOPE_API_KEY is set, which "
        "qwen_ai/ does not read: to use that key, give it to `log-in --key --plan NAME`, or to QWEN_API_KEY "
        "with its address in QWEN_API_BASE."
    )
    assert str(errors.ended("a file", "log-in", "It is old.")) == (
        "The login in a file has ended: It is old. Run `log-in` to log in again; the old one is kept."
    )
    renewed = errors.not_renewed("No network.", 3.0)
    assert str(renewed) == "The Qwen access token could not be renewed: No network. The login is kept."
    assert (renewed.retry_after, errors.not_renewed("x").retry_after) == (3.0, None)
    assert str(errors.still_rejected("log-in")) == (
        "The chat server refuses the access token, and a refresh brought the same one. Try again later, or "
        "run `log-in --force`."
    )


def test_the_paths_that_programs_import_from_stay() -> None:
    for path, names in {
        "litellm_qwen_ai": ("handler", "register", "FileStore", "Session", "device_login", "QwenAI"),
        "litellm_qwen_ai.oauth": (
            "FileStore",
            "Store",
            "StoredCredentials",
            "start_login",
            "DEFAULT_CLIENT_ID",
        ),
        "litellm_qwen_ai.proxy": ("startup",),
        "litellm_qwen_ai.testing": ("qwen_sandbox", "qwen_sandbox_logged_out"),
        "litellm_qwen_ai.sandbox": ("Sandbox", "Answer"),
    }.items():
        module = importlib.import_module(path)
        assert [name for name in names if not hasattr(module, name)] == [], path
