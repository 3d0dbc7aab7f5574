"""/v1 with the real clients: openai's own, and simonw's llm. Both ask a real server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.test_api import ANSWERED, QUESTION, Running, served
from ui.api import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parent.parent
REFUSED = "Who painted the Mona Lisa?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(tmp_path_factory.mktemp("openai") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0) as made:
        yield made


def ask(client: OpenAI, question: str, **options: Any) -> Any:
    return client.chat.completions.create(model="citewire", messages=[{"role": "user", "content": question}], **options)


def test_the_models_are_those_of_models_txt_and_citewire(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:2] == ["citewire", "citewire-quotes"]
    assert "smollm2-135m" in names
    assert client.models.retrieve("citewire").id == "citewire"
    with pytest.raises(NotFoundError):
        client.models.retrieve("../../etc/passwd")


def test_a_chat_answers_with_annotations_and_quotes(client: OpenAI, server: Running) -> None:
    completion = ask(client, QUESTION)
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == (ANSWERED, "stop")
    [annotation] = choice.message.annotations
    cited = annotation.url_citation
    assert ANSWERED[cited.start_index : cited.end_index] == ANSWERED
    assert (cited.title, cited.url) == ("Talks", f"http://127.0.0.1:{server.port}/api/v1/articles/talks")
    [result] = completion.search_results
    assert result["snippet"] == "The six-party talks broke down in 2009."
    assert completion.citewire["claims"][0]["citations"][0]["quote"] == result["snippet"]
    assert completion.usage.total_tokens > 0


def test_a_refusal_is_an_answer_with_its_reason(client: OpenAI) -> None:
    completion = ask(client, REFUSED)
    assert completion.citewire["refused"]
    assert completion.citewire["reason"] == "nothing relevant found"
    assert completion.choices[0].message.content == completion.citewire["text"]
    assert completion.search_results == []


def test_a_stream_has_the_checked_answer_and_its_annotations(client: OpenAI) -> None:
    chunks = list(ask(client, QUESTION, stream=True, stream_options={"include_usage": True}))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == ANSWERED
    assert [one for delta in deltas for one in getattr(delta, "annotations", None) or ()]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-2].search_results[0]["snippet"]
    assert chunks[-1].usage.total_tokens > 0


def test_what_the_client_library_puts_together_of_a_stream_has_the_annotations(client: OpenAI) -> None:
    asked: Any = [{"role": "user", "content": QUESTION}]
    with client.chat.completions.stream(model="citewire", messages=asked) as stream:
        last = [one for one in stream if one.type == "chunk"][-1].chunk
        final = stream.get_final_completion()
    annotations: Any = final.choices[0].message.annotations
    assert annotations[0].url_citation.title == "Talks"
    assert last.search_results[0]["snippet"]  # type: ignore[attr-defined]


def test_the_history_is_used(client: OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "Answer like a pirate."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": f"{ANSWERED} [1]\n\n[1] “a quote”\n    Post"},
        {"role": "user", "content": [{"type": "text", "text": "And where?"}]},
    ]
    completion = client.chat.completions.create(model="citewire", messages=messages)
    assert "six-party" in completion.citewire["searched"]  # type: ignore[attr-defined]


def test_a_response_is_that_of_the_client_library(client: OpenAI) -> None:
    response = client.responses.create(model="citewire", input=QUESTION)
    assert (response.output_text, response.status) == (ANSWERED, "completed")
    message: Any = response.output[0]
    part = message.content[0]
    assert part.annotations[0].type == "url_citation"
    assert response.search_results[0]["snippet"]  # type: ignore[attr-defined]
    turns: Any = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": [{"type": "output_text", "text": ANSWERED}]},
        {"role": "user", "content": [{"type": "input_text", "text": "And where?"}]},
    ]
    follow_up = client.responses.create(model="citewire", input=turns)
    assert "six-party" in follow_up.citewire["searched"]  # type: ignore[attr-defined]


def test_a_response_streams(client: OpenAI) -> None:
    with client.responses.stream(model="citewire", input=QUESTION) as stream:
        kinds = [one.type for one in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert "response.output_text.delta" in kinds
    assert "response.output_text.annotation.added" in kinds
    assert kinds[-1] == "response.completed"
    assert final.output_text == ANSWERED
    message: Any = final.output[0]
    assert message.content[0].annotations[0].title == "Talks"
    assert final.search_results[0]["snippet"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parameter", "options"),
    [
        ("n", {"n": 2}),
        ("tools", {"tools": [{"type": "function", "function": {"name": "a", "parameters": {}}}]}),
        ("response_format", {"response_format": {"type": "json_object"}}),
        ("logprobs", {"logprobs": True}),
        ("temperature", {"temperature": 9}),
        ("surprise", {"extra_body": {"surprise": 1}}),
    ],
)
def test_what_would_change_the_answer_is_refused(client: OpenAI, parameter: str, options: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as refused:
        ask(client, QUESTION, **options)
    assert parameter in str(refused.value.param)
    assert refused.value.type == "invalid_request_error"


def test_what_steers_sampling_is_ignored_and_our_own_parameters_count(client: OpenAI) -> None:
    ignored = {"temperature": 0.2, "max_tokens": 5, "seed": 1, "stop": ["."], "user": "me", "n": 1}
    assert ask(client, QUESTION, **ignored).choices[0].message.content == ANSWERED
    assert ask(client, QUESTION, extra_body={"articles": ["dam"]}).citewire["refused"]


def test_images_paths_and_unanswered_conversations_are_refused(client: OpenAI) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for messages in ([{"role": "user", "content": [image]}], [{"role": "assistant", "content": "a"}], []):
        with pytest.raises(BadRequestError):
            client.chat.completions.create(model="citewire", messages=messages)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model="/etc/passwd", messages=[{"role": "user", "content": "a"}])


CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    "before",
    [
        [{"role": "assistant", "content": "Ask me anything."}],
        [{"role": "user", "content": [IMAGE]}, {"role": "assistant", "content": "A cat."}],
        [{"role": "user", "content": ""}, {"role": "assistant", "content": None, "refusal": "No."}],
        [{"role": "user", "content": "What?"}, {"role": "assistant", "content": ""}],
        [{"role": "user", "content": one} for one in ("One.", "Two.")] + [{"role": "assistant", "content": []}],
        [{"role": role, "content": "Hello."} for _ in range(499) for role in ("user", "assistant")],
        [{"role": "user", "content": "word " * 100_000}, {"role": "assistant", "content": "word " * 50_000}],
        [
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": "What is the weather?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "1", "content": "Sun."},
            {"role": "assistant", "content": "It is sunny."},
        ],
    ],
)
def test_a_conversation_with_something_else_before_is_gone_on_with(client: OpenAI, before: list[Any]) -> None:
    messages = [*before, {"role": "user", "content": QUESTION}]
    completion = client.chat.completions.create(model="citewire", messages=messages)
    assert completion.choices[0].message.content == ANSWERED


def test_what_tools_gave_before_is_left_out_and_the_words_after_it_are_kept(client: OpenAI, server: Running) -> None:
    items: Any = [
        {"role": "user", "content": "Who broke off the talks?"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "secret"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Nobody did."}]},
        {"role": "assistant", "content": "They ended."},
        {"role": "user", "content": "When did they break down?"},
    ]
    assert not client.responses.create(model="citewire", input=items).citewire["refused"]  # type: ignore[attr-defined]
    [turn] = next(one for one in reversed(server.llm.prompts) if not one.task).history
    assert (turn.question, turn.answer) == ("Who broke off the talks?", "Nobody did.\nThey ended.")


@pytest.mark.parametrize(
    ("messages", "wrong"),
    [
        ([{"role": "system", "content": "Be brief."}], "the last message must be a question of the user"),
        ([{"role": "user", "content": "  "}], "the last message is empty; ask something"),
        ([{"role": "user", "content": None}], "the last message is empty; ask something"),
        ([{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}], "messages.0.content: pictures"),
        ([{"role": "user", "content": {"text": "What?"}}], "messages.0.content: must be text or a list"),
        ([{"role": "user", "content": [{"text": "What?"}]}], "messages.0.content.0.type: is needed"),
        ([{"role": "owner", "content": "What?"}], "messages.0.role: Input should be 'system'"),
        ([{"role": "user", "content": "a"}] * 1001, "messages: List should have at most 1000 items"),
        ([{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}], "the last message must be a question"),
    ],
)
def test_what_is_no_question_says_so(client: OpenAI, messages: Any, wrong: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.chat.completions.create(model="citewire", messages=messages)
    assert wrong in refused.value.message
    assert str(refused.value.param).startswith("messages")


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ([], "input: List should have at least 1 item"),
        (7, "input: must be text or a list"),
        ([{"type": "item_reference", "id": "msg_1"}], "input.0: nothing is stored that could be referred to"),
        ([{"content": "What?"}], "input.0: a message needs a role"),
        ([{"role": "user", "content": "a"}, {"type": "function_call_output", "output": "b"}], "the last message must"),
    ],
)
def test_an_input_that_is_no_question_says_so(client: OpenAI, sent: Any, wrong: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model="citewire", input=sent)
    assert wrong in refused.value.message
    assert str(refused.value.param).startswith("input")


def test_parameters_that_are_null_or_ask_for_nothing_are_taken(client: OpenAI) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("audio", "functions", "top_logprobs", "metadata", "n", "stream_options"))
    nothing |= {"function_call": "none", "tools": [], "tool_choice": "none", "logprobs": False}
    assert ask(client, QUESTION, extra_body=nothing).choices[0].message.content == ANSWERED


def test_llm_asks_as_its_documentation_says(server: Running, tmp_path: Path) -> None:
    models = f"- model_id: citewire\n  model_name: citewire-quotes\n  api_base: http://127.0.0.1:{server.port}/v1\n"
    (tmp_path / "extra-openai-models.yaml").write_text(models)
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"}
    command = [sys.executable, "-m", "llm", "-m", "citewire", QUESTION]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert f"{ANSWERED} [1]" in done.stdout, done.stderr
    assert "[1] “The six-party talks broke down in 2009.”" in done.stdout


@pytest.mark.parametrize("name", ["openai_client.py", "http_client.py", "mcp_client.py"])
def test_the_examples_ask_a_server_with_a_token(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    with served(home) as server:
        address = f"http://127.0.0.1:{server.port}" + ("/mcp" if name == "mcp_client.py" else "")
        command = [sys.executable, str(TOP / "examples" / name), QUESTION, address]
        environment = {**os.environ, "CITEWIRE_API_TOKEN": tokens.add(home, name="example")}
        done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The six-party talks broke down in 2009." in done.stdout
