"""A real OpenAI-compatible server that is not ours: llama.cpp, with a tiny model of random weights.

The answers are word salad. All around them is real: chat template, grammars for JSON and for tool
calls, log probabilities, usage, errors, slots, connections. The server is a process of its own,
`python tests/real_server.py MODEL`, because inside pytest it writes into the tests' output, and may
need 30 s to end while a client still holds a stream.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from numpy.random import Generator
    from tokenizers import Tokenizer

START_LIMIT, STOP_LIMIT = 60.0, 10.0  # seconds
CONTEXT, SLOTS = 32768, 4  # a slot, and so a request, has a quarter of the context
HTTP_THREADS = 128  # an idle connection keeps its thread for 5 s; with 8, a crowd is dropped
LONGEST_ANSWER = 512  # tokens, where a request sets no limit

VOCABULARY, WIDTH, FEED, LAYERS, HEADS = 2048, 64, 128, 2, 4
CONTROL = END_OF_TEXT, TURN_START, TURN_END, CUE = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|cue|>",  # ends a prompt that a tool call should follow
)
TOOL_CALL = "<tool_call>"
SPECIAL = (*CONTROL, TOOL_CALL)

CHAT_TEMPLATE = """\
{%- set system, turns = '', messages %}
{%- if messages and messages[0].role == 'system' %}
    {%- set system, turns = messages[0].content, messages[1:] %}
{%- endif %}
{%- if system or tools %}{{- '<|im_start|>system\\n' + system }}{%- endif %}
{%- if tools %}
    {{- '\\n\\nYou may call these functions:\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' + tool | tojson }}{%- endfor %}
    {{- '\\n</tools>\\nTo call one, answer with\\n' }}
    {{- '<tool_call>{"name": <name>, "arguments": <object>}</tool_call>' }}
{%- endif %}
{%- if system or tools %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- for message in turns %}
    {{- '<|im_start|>' + ('user' if message.role == 'tool' else message.role) + '\\n' }}
    {%- if message.role == 'tool' %}
        {{- '<tool_response>' + message.content + '</tool_response>' }}
    {%- elif message.content %}{{- message.content }}{%- endif %}
    {%- for call in message.tool_calls or [] %}
        {{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
        {{- (call.function.arguments | tojson) + '}</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if tools and messages[-1].role != 'tool' %}{{- '<|cue|>' }}{%- endif %}
{%- endif %}
"""


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL, such as `http://127.0.0.1:40123/v1`; any API key and any model name will do."""
    with serve(_tiny_model(tmp_path_factory)) as url:
        yield url


@pytest.fixture(scope="session")
def embedding_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a server that makes embeddings, and nothing else."""
    with serve(_tiny_model(tmp_path_factory), "--embedding") as url:
        yield url


def _tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if any(find_spec(name) is None for name in ("xllamacpp", "gguf", "tokenizers")):
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("needs the dev extra: pip install -e '.[dev]'")
    # 0.7 s in all: 0.4 s for the model, 0.3 s for the server. Each worker of xdist starts its own.
    model = tmp_path_factory.mktemp("real_server") / "tiny.gguf"
    write_tiny_model(model)
    return model


@contextmanager
def serve(model: Path, *flags: str) -> Iterator[str]:
    """Run the server during the block; it ends also if this process is killed."""
    # -P, or the folders beside this file would hide modules of the standard library.
    command = [sys.executable, "-P", str(Path(__file__).resolve()), str(model), *flags]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+", errors="replace") as log,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True) as child,
    ):
        try:
            yield _address(child, log)
        finally:
            _stop(child)


def _address(child: subprocess.Popen[str], log: IO[str]) -> str:
    assert child.stdout is not None
    watchdog = threading.Timer(START_LIMIT, child.kill)
    watchdog.start()
    line = child.stdout.readline().strip()
    watchdog.cancel()
    if not line:
        code = child.wait(STOP_LIMIT)
        log.seek(0)
        raise RuntimeError(f"llama.cpp's server did not start (exit code {code}):\n{log.read()}")
    return line


def _stop(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.close()
    try:
        child.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()


def _main(model: str, *flags: str) -> None:
    """Serve until stdin closes."""
    from xllamacpp import CommonParams, Server, llama_flash_attn_type, llama_pooling_type

    params = CommonParams()
    params.model.path = model
    params.model_alias = {"tiny"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT
    params.n_parallel = SLOTS
    params.n_predict = LONGEST_ANSWER
    params.n_threads_http = HTTP_THREADS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more only wait in a spin
    params.use_jinja = True
    params.warmup = params.fit_params = params.ui = False
    params.flash_attn_type = llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED  # 3 times faster
    if "--embedding" in flags:
        params.embedding = True
        params.pooling_type = llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.verbosity = 2  # warnings and errors, on stderr
    server = Server(params)  # returns once /health says ok
    sys.stdout.write(f"{server.listening_address}/v1\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        sys.stdin.read()
    os._exit(0)  # the destructor would wait for open streams


def write_tiny_model(path: Path, *, seed: int = 0) -> None:
    """Write a llama of 1.4 MB as GGUF; the same seed on the same Python gives the same bytes."""
    from gguf import GGUFWriter
    from numpy.random import default_rng

    tokenizer = _train_tokenizer()
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_tokenizer(writer, tokenizer)
    _add_weights(writer, default_rng(seed), tokenizer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _train_tokenizer() -> Tokenizer:
    """Learn from Python's own help texts, the one long English text that is always at hand."""
    from pydoc_data.topics import topics

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(topics.values(), trainer)
    return tokenizer


def _add_tokenizer(writer: GGUFWriter, tokenizer: Tokenizer) -> None:
    from gguf import TokenType

    bpe: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].__getitem__)
    types = [TokenType.NORMAL] * len(tokens)
    types[: len(SPECIAL)] = [TokenType.CONTROL] * len(CONTROL) + [TokenType.USER_DEFINED]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in bpe["merges"]])
    writer.add_bos_token_id(SPECIAL.index(END_OF_TEXT))
    writer.add_eos_token_id(SPECIAL.index(TURN_END))
    writer.add_pad_token_id(SPECIAL.index(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_weights(writer: GGUFWriter, random: Generator, tokenizer: Tokenizer) -> None:
    """Noise, but for three dimensions that no layer changes and that steer the next token."""
    from numpy import float32, ones

    always, call, end = range(3)
    texts = [tokenizer.decode([token]).strip() for token in range(VOCABULARY)]
    embedding = random.normal(0, 1.0, (VOCABULARY, WIDTH))
    embedding[:, :3] = 16.0, 0.0, 0.0
    embedding[SPECIAL.index(CUE), call] = 16.0
    embedding[[text.endswith(">") for text in texts], end] = 16.0  # a tool call ends the turn
    embedding[[not text for text in texts], end] = -16.0  # as in the prompt: no empty answers
    output = random.normal(0, 0.1, (VOCABULARY, WIDTH))
    output[: len(SPECIAL)] = 0.0
    output[:, :3] = 0.0
    output[[not _is_wanted(text) for text in texts], always] = -20.0
    output[SPECIAL.index(TOOL_CALL), call] = 40.0
    output[SPECIAL.index(TURN_END), [always, end]] = 0.8, 40.0  # after some 40 tokens
    writer.add_tensor("token_embd.weight", embedding.astype(float32))
    writer.add_tensor("output.weight", output.astype(float32))
    writer.add_tensor("output_norm.weight", ones(WIDTH, float32))
    square, up, down = (WIDTH, WIDTH), (FEED, WIDTH), (WIDTH, FEED)
    shapes = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    shapes |= {"ffn_gate": up, "ffn_up": up, "ffn_down": down}
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            weight = random.normal(0, 0.2, shape)
            if name in ("attn_output", "ffn_down"):
                weight[:3] = 0.0
            writer.add_tensor(f"blk.{layer}.{name}.weight", weight.astype(float32))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", ones(WIDTH, float32))


def _is_wanted(text: str) -> bool:
    """Neither control token nor control character, nor mere white space, nor half a character."""
    return bool(text.strip("\ufffd")) and text.isprintable()


if __name__ == "__main__":
    _main(*sys.argv[1:])
