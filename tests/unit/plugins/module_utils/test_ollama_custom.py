# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import hashlib
import time

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import (
    ApiError,
    ConnectError,
    HttpClient,
    ServiceError,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import custom as custom_module
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.custom import (
    Built,
    Findings,
    build,
    check_files,
    create,
    differences,
    is_copy,
    plan,
    request,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput, parse, parse_listed
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.record import Records
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import Custom

NOTHING = Custom(None, None, None, None, None, None, None, None, None)
ADAPTER = {"/a.gguf": "sha256:cc01633fd530d0adeda3dfccaa4cf0fff221c4fbe6515e54462485f1de5b576e"}
SAME = Findings([], True)


FILES = {"files", "adapters"}


def wanted_for(body):
    """The options that ask for the model which a recorded request made."""
    fields = {field: body[field] for field in Custom._fields if field in body}
    base = parse(body["from"]) if "from" in body else None
    return NOTHING._replace(
        **{**fields, "base": base, **{f: ["/" + name for name in body[f]] for f in FILES & {*body}}}
    )


@pytest.fixture
def models(recording):
    return copy.deepcopy(recording("ollama_create")["models"])


@pytest.fixture
def records(tmp_path):
    """A function that gives the records of a server as the next run sees them."""
    return lambda url, report=unheard: Records(str(tmp_path / "records"), url, report)


def found(models, name, wanted, digests=None, made_of=None):
    base = models[wanted.base.model]["show"] if wanted.base else None
    return differences(models[name]["show"], base, wanted, digests or {}, made_of)


def test_what_a_recorded_request_made_is_as_wanted(models):
    for name in ("m1", "m4", "values", "emptied", "alias", "adapted", "adapted-twice"):
        assert found(models, name, wanted_for(models[name]["request"]), ADAPTER) == SAME, name


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("m1", {"system": "You are Luigi."}, ["system"]),
        ("m1", {"system": None}, ["system"]),
        ("m1", {"system": ""}, ["system"]),
        ("m1", {"parameters": {"temperature": 1.0, "num_ctx": 64.0, "stop": ["x", "y"]}}, []),
        ("m1", {"parameters": {"temperature": "1", "num_ctx": 64, "stop": ["x", "y"]}}, ["parameters.temperature"]),
        ("m1", {"parameters": {"temperature": 1, "stop": ["x", "y"]}}, ["parameters.num_ctx"]),
        ("m1", {"parameters": {"temperature": 1, "num_ctx": 64}}, ["parameters.stop"]),
        ("m1", {"parameters": {"temperature": 1, "num_ctx": 64, "stop": ["y", "x"]}}, ["parameters.stop"]),
        ("m1", {"parameters": None}, ["parameters.num_ctx", "parameters.stop", "parameters.temperature"]),
        ("m1", {"template": "{{ .Prompt }}"}, []),
        ("m1", {"template": "{{ .Prompt }}\n"}, ["template"]),
        ("m1", {"messages": [{"role": "user", "content": "hi"}]}, ["messages"]),
        ("m1", {"license": ["L1"]}, ["license"]),
        ("m1", {"license": ["", ""]}, []),
        ("m1", {"base": parse("emptied")}, ["from"]),
        ("m1", {"adapters": ["/a.gguf"]}, ["adapters"]),
        ("m4", {"messages": None, "template": None, "license": None}, ["license", "messages", "template"]),
        ("m4", {"messages": [{"role": "User", "content": "hi"}, {"role": "assistant", "content": ""}]}, []),
        ("m4", {"messages": [{"role": "assistant", "content": ""}, {"role": "user", "content": "hi"}]}, ["messages"]),
        ("m4", {"license": ["L1"]}, ["license"]),
        ("emptied", {"parameters": None}, ["parameters.stop"]),
        ("adapted", {"adapters": None}, ["adapters"]),
        ("adapted-twice", {"adapters": None}, ["adapters"]),
        ("quantized", {"quantize": None}, ["from"]),
        ("f16", {"files": None, "base": parse("f16")}, ["from"]),
        ("f16", {"files": None, "base": parse("f16"), "quantize": "f16"}, ["from"]),
    ],
)
def test_differences(models, name, changes, expected):
    wanted = wanted_for(models[name]["request"])._replace(**changes)
    assert found(models, name, wanted, ADAPTER) == Findings(expected, True)


def test_a_base_that_got_other_weights_or_words_makes_a_difference(models):
    wanted = wanted_for(models["m1"]["request"])
    show = models["a"]["show"]
    show["modelfile"] = show["modelfile"].replace("sha256-b4f8", "sha256-0000")
    show["template"], show["license"] = "{{ .System }}", "Licence B."
    assert found(models, "m1", wanted) == Findings(["from", "license", "template"], True)


def test_a_text_that_looks_like_a_file_is_none(models):
    wanted = wanted_for(models["m1"]["request"])
    text = "FROM /b/sha256-" + 64 * "0" + "\nADAPTER /b/sha256-" + 64 * "0"
    models["m1"]["show"]["modelfile"] += f"LICENSE {text}\n"
    assert found(models, "m1", wanted) == SAME


def test_a_model_of_an_old_server_that_came_from_a_file(models):
    models["m1"]["show"]["details"]["parent_model"] = "/root/models/a file.bin"
    assert found(models, "m1", wanted_for(models["m1"]["request"])) == Findings(["from"], True)


def test_stop_words_that_the_server_adds_for_an_architecture(models):
    for name in ("a", "emptied"):
        models[name]["show"]["details"]["family"] = "gemma4"
    models["emptied"]["show"]["parameters"] += '\nstop                           "<turn|>"'
    wanted = wanted_for(models["emptied"]["request"])
    assert found(models, "emptied", wanted._replace(parameters=None)) == SAME
    assert found(models, "emptied", wanted) == Findings(["parameters.stop"], True)
    assert found(models, "emptied", wanted._replace(parameters={"stop": ["<turn|>"]})) == SAME


def test_without_a_look_at_the_base_only_what_is_given_counts(models):
    wanted = wanted_for(models["m1"]["request"])
    show = models["m1"]["show"]
    assert differences(show, None, wanted, {}, None) == Findings([], False)
    other = wanted._replace(system="S", parameters={"num_ctx": 1})
    assert differences(show, None, other, {}, None) == Findings(["parameters.num_ctx", "system"], False)


def test_what_the_server_found_in_the_file_is_no_difference(models):
    wanted = NOTHING._replace(files=["/m.gguf"])
    assert models["detected"]["show"]["parameters"].count("stop") == 2
    assert found(models, "detected", wanted) == Findings([], False)
    assert found(models, "detected", wanted._replace(template="T")) == Findings(["template"], False)


@pytest.mark.parametrize(
    ("changes", "digest", "expected"),
    [
        ({}, "sha256:1", []),
        ({}, "sha256:2", ["files"]),
        ({"system": "S"}, "sha256:1", ["system"]),
        ({"template": None}, "sha256:1", ["template"]),
        ({"parameters": {"top_k": 3.0, "stop": []}}, "sha256:1", []),
        ({"parameters": {"top_k": 3}}, "sha256:1", ["parameters.stop"]),
        ({"quantize": "q8_0"}, "sha256:1", ["quantize"]),
    ],
)
def test_the_record_of_a_model_from_files(models, changes, digest, expected):
    first = NOTHING._replace(files=["/m.gguf"], template="T", parameters={"top_k": 3, "stop": []})
    made_of = custom_module.fingerprint(first, None, {"/m.gguf": "sha256:1"})
    wanted = first._replace(**changes)
    assert found(models, "detected", wanted, {"/m.gguf": digest}, made_of) == Findings(expected, True)


def test_the_name_of_a_file_does_not_matter(models):
    made_of = custom_module.fingerprint(NOTHING._replace(files=["/m.gguf"]), None, {"/m.gguf": "sha256:1"})
    assert found(models, "f16", NOTHING._replace(files=["/n.gguf"]), {"/n.gguf": "sha256:1"}, made_of) == SAME


def test_the_order_of_files_does_not_matter(models):
    digests = {"/m.gguf": "sha256:1", "/n.gguf": "sha256:2"}
    made_of = custom_module.fingerprint(NOTHING._replace(files=["/m.gguf", "/n.gguf"]), None, digests)
    assert found(models, "f16", NOTHING._replace(files=["/n.gguf", "/m.gguf"]), digests, made_of) == SAME


def test_true_is_not_one(models):
    models["values"]["show"]["parameters"] = "use_mmap                       true"
    wanted = wanted_for(models["values"]["request"])
    models["a"]["show"]["parameters"] = ""
    assert found(models, "values", wanted._replace(parameters={"use_mmap": True})) == SAME
    assert found(models, "values", wanted._replace(parameters={"use_mmap": 1})).differences == ["parameters.use_mmap"]


def test_the_weights_of_a_quantized_model_only_the_record_can_tell(models):
    wanted = wanted_for(models["quantized"]["request"])
    assert found(models, "quantized", wanted) == Findings([], False)
    assert found(models, "quantized", wanted._replace(system="S")) == Findings(["system"], False)
    made_of = custom_module.fingerprint(wanted, models["f16"]["show"], {})
    assert found(models, "quantized", wanted, made_of=made_of) == SAME
    assert found(models, "quantized", wanted._replace(quantize="Q8_0"), made_of=made_of) == SAME
    assert found(models, "quantized", wanted._replace(quantize="Q4_K"), made_of=made_of).differences == ["quantize"]
    models["f16"]["show"]["modelfile"] = models["a"]["show"]["modelfile"]
    assert found(models, "quantized", wanted, made_of=made_of) == Findings(["from"], True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"system": "", "template": "", "parameters": {}, "messages": [], "license": [], "adapters": []}, True),
        ({"system": "S"}, False),
        ({"quantize": "q8_0"}, False),
        ({"base": None, "files": ["/m.gguf"]}, False),
    ],
)
def test_a_copy_has_nothing_of_its_own(changes, expected):
    assert is_copy(NOTHING._replace(base=parse("a"))._replace(**changes)) is expected


def test_requests_are_those_that_were_recorded(models):
    for name, model in models.items():
        body = {field: value for field, value in model["request"].items() if field != "stream"}
        wanted = wanted_for(body)
        digests = {f"/{path}": digest for field in FILES for path, digest in body.get(field, {}).items()}
        assert request(parse(name), wanted, body.get("from"), digests) == body


def test_files_of_one_name_are_kept_apart():
    wanted = NOTHING._replace(files=["/one/m.gguf", "/two/m.gguf", "/x-00001-of-00002.gguf"])
    digests = {path: f"sha256:{index}" for index, path in enumerate(wanted.files)}
    assert request(parse("f"), wanted, None, digests)["files"] == {
        "0/m.gguf": "sha256:0",
        "1/m.gguf": "sha256:1",
        "x-00001-of-00002.gguf": "sha256:2",
    }


def test_empty_options_inherit():
    wanted = NOTHING._replace(base=parse("A"), template="", system="", parameters={}, messages=[], license=["", "L"])
    assert request(parse("m"), wanted, "a:latest", {}) == {"model": "m:latest", "from": "a:latest", "license": ["L"]}


def test_files_are_looked_at_first(tmp_path):
    good, text, short = tmp_path / "m.gguf", tmp_path / "text.gguf", tmp_path / "short"
    good.write_bytes(b"GGUF" + bytes(20))
    text.write_bytes(b"version https://git-lfs")
    short.write_bytes(b"GG")
    check_files(NOTHING._replace(files=[str(good)], adapters=[str(good)]))
    check_files(NOTHING)
    for path, said in (
        (text, "is not a GGUF file: it begins with b'vers'."),
        (short, "is not a GGUF file: it begins with b'GG'."),
        (tmp_path, "cannot be read on the host that runs the module: Is a directory."),
        (tmp_path / "no", "cannot be read on the host that runs the module: No such file or directory."),
    ):
        for option in FILES:
            with pytest.raises(InvalidInput) as failure:
                check_files(NOTHING._replace(**{"files": [str(good)], option: [str(path)]}))
            assert str(failure.value) == f"{path} {said}"


def unheard(*_line):
    """Takes reports in, and no notice of them."""


def created(server, body=None, work=0, timeout=5.0, report=unheard):
    create(OllamaClient(HttpClient(server.url)), body or {"model": "m:latest", "from": "a"}, work, report, timeout)


BODY = {"model": "m:latest", "from": "a", "stream": True}


def test_recorded_creations_succeed(server, models):
    for model in models.values():
        server.expect("POST", "/api/create", model["request"], lines=model["lines"])
        created(server, {field: value for field, value in model["request"].items() if field != "stream"})


def test_every_line_is_reported(server):
    lines = [
        {"status": "parsing GGUF"},
        {"status": "quantizing F16 model to Q8_0", "digest": "0000000000000000000", "total": 1000, "completed": 250},
        {"status": "success"},
    ]
    server.expect("POST", "/api/create", BODY, lines=lines)
    reports = []
    created(server, report=lambda *line: reports.append(line))
    assert reports == [
        ("m:latest", "parsing GGUF", 0, 0),
        ("m:latest", "quantizing F16 model to Q8_0", 250, 1000),
        ("m:latest", "success", 0, 0),
    ]


NEXT_STEPS = {
    "template": "Check the Go template: Jinja reads its braces first, unless it is marked with !unsafe.",
    "type": "Choose one of those types.",
    "quantized": "Leave quantize out, or start from weights whose header says F16, BF16 or F32.",
    "adapters": "Make a model of each adapter.",
    "truncated": "The file is damaged: copy it again, or, if it is sound, remove its blob from the server's store.",
    "text": "The file is damaged: copy it again, or, if it is sound, remove its blob from the server's store.",
    "unknown": "The file is damaged: copy it again, or, if it is sound, remove its blob from the server's store.",
    "gone": "A file has gone from the server's store meanwhile: run the task again.",
    "base": "The base has gone from the server meanwhile: run the task again.",
}


@pytest.mark.parametrize("kind", NEXT_STEPS)
def test_recorded_errors(server, recording, kind):
    error = recording("ollama_create")["errors"][kind]
    words = error["lines"][-1]["error"]
    if error["status"] == 200:
        server.expect("POST", "/api/create", error["request"], lines=error["lines"])
        said = words
    else:
        server.expect("POST", "/api/create", error["request"], status=error["status"], answer={"error": words})
        said = f"POST {server.url}/api/create answered {error['status']}: {words}"
    with pytest.raises(ApiError) as failure:
        created(server, {field: value for field, value in error["request"].items() if field != "stream"})
    assert failure.value.message == f"{server.url} could not create bad:latest: {said}."
    assert failure.value.hint == NEXT_STEPS[kind]
    assert (failure.value.url, failure.value.status) == (f"{server.url}/api/create", error["status"])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            "write $OLLAMA_MODELS/blobs/sha256-1: no space left on device",
            "Free space where the server keeps its models: besides the result it needs the files as well.",
        ),
        (
            "failed to validate GGUF with llama-quantize without compatibility patches: llama-quantize unavailable",
            "Check the file with the tools of llama.cpp, and that the server's installation is complete.",
        ),
        ("something new", ""),
    ],
)
def test_errors_in_the_stream(server, words, hint):
    server.expect("POST", "/api/create", BODY, lines=[{"status": "parsing GGUF"}, {"error": words}])
    with pytest.raises(ApiError) as failure:
        created(server)
    assert failure.value.message == f"{server.url} could not create m:latest: {words}."
    assert failure.value.hint == hint


@pytest.mark.parametrize(
    ("lines", "status"),
    [([], ""), ([{"status": "parsing GGUF"}], "parsing GGUF"), ([{"status": "writing manifest"}], "writing manifest")],
)
def test_only_success_is_success(server, lines, status):
    server.expect("POST", "/api/create", BODY, lines=lines)
    with pytest.raises(ConnectError) as failure:
        created(server)
    said = f"{server.url} could not create m:latest: the answer ended before success (at {status!r})."
    assert failure.value.message == said


def test_silence_is_not_taken_for_words_of_the_server(server):
    server.expect("POST", "/GGUF/api/create", BODY, lines=[server.STALL])
    client = OllamaClient(HttpClient(f"{server.url}/GGUF"))
    with pytest.raises(ConnectError) as failure:
        create(client, {"model": "m:latest", "from": "a"}, 0, unheard, 0.2)
    assert failure.value.message.startswith(f"{server.url}/GGUF could not create m:latest: ")
    assert failure.value.hint == "Check that the service is up and not overloaded, or raise the timeout."


def test_numbers_of_a_line_that_are_none_count_as_0(server):
    odd = [{"status": "parsing GGUF", "completed": None, "total": "9"}, {"status": "success"}]
    server.expect("POST", "/api/create", BODY, lines=odd)
    reported = []
    client = OllamaClient(HttpClient(server.url))
    create(client, {"model": "m:latest", "from": "a"}, 0, lambda *line: reported.append(line), 5)
    assert reported == [("m:latest", "parsing GGUF", 0, 0), ("m:latest", "success", 0, 0)]


def test_a_cut_stream(server):
    server.expect("POST", "/api/create", BODY, lines=[{"status": "parsing GGUF"}, server.CUT])
    with pytest.raises(ConnectError, match="could not create m:latest"):
        created(server)


@pytest.mark.parametrize("line", ["[1]", "null", "<html>"])
def test_a_line_that_makes_no_sense(server, line):
    server.expect("POST", "/api/create", BODY, lines=[line])
    with pytest.raises(ApiError, match="could not create m:latest"):
        created(server)


@pytest.mark.parametrize("status", ["parsing GGUF", "verifying conversion", "quantizing F16 model to Q8_0"])
def test_work_may_be_silent_as_long_as_its_bytes_take(server, monkeypatch, status):
    monkeypatch.setattr(custom_module, "WORKED_BYTES_PER_SECOND", 10)
    server.expect("POST", "/api/create", BODY, lines=[{"status": status}, server.wait(0.6), {"status": "success"}])
    created(server, work=30, timeout=0.2)


@pytest.mark.parametrize(
    ("status", "work"),
    [
        ("parsing GGUF", 0),
        ("creating new layer sha256:1", 1000),
        ("using existing layer", 1000),
        ("writing manifest", 99),
    ],
)
def test_any_other_silence_ends_the_creation(server, monkeypatch, status, work):
    monkeypatch.setattr(custom_module, "WORKED_BYTES_PER_SECOND", 10)
    server.expect("POST", "/api/create", BODY, lines=[{"status": status}, server.STALL])
    started = time.monotonic()
    with pytest.raises(ConnectError, match=r"brought nothing for 0\.3 seconds"):
        created(server, work=work, timeout=0.3)
    assert time.monotonic() - started < 5


def listing(models, *names):
    return {parse_listed(models[name]["item"]["name"]).key: models[name]["item"] for name in names}


def planned(server, records, models, name, wanted, *installed):
    client = OllamaClient(HttpClient(server.url))
    return plan(client, parse(name), wanted, listing(models, *installed), records(server.url))


def expect_show(server, models, *names):
    for name in names:
        server.expect("POST", "/api/show", {"model": f"{name}:latest"}, answer=models[name]["show"])


def test_a_model_that_is_not_there(server, records, models):
    wanted = wanted_for(models["m4"]["request"])
    expected = Findings(["from", "template", "messages", "license"], True)
    assert planned(server, records, models, "m4", wanted, "a") == expected


def test_a_model_whose_weights_are_gone(server, records, models):
    wanted = wanted_for(models["m1"]["request"])
    server.expect("POST", "/api/show", {"model": "m1:latest"}, status=404, answer={"error": "model 'm1' not found"})
    expected = Findings(["from", "system", "parameters"], True)
    assert planned(server, records, models, "M1", wanted, "a", "m1") == expected


def test_a_model_and_its_base_are_looked_at(server, records, models):
    expect_show(server, models, "m1", "a")
    assert planned(server, records, models, "m1", wanted_for(models["m1"]["request"]), "a", "m1") == SAME


def test_a_base_that_is_missing_leaves_it_open(server, records, models):
    expect_show(server, models, "m1")
    wanted = wanted_for(models["m1"]["request"])
    assert planned(server, records, models, "m1", wanted, "m1") == Findings([], False)


def test_a_copy_is_one_look_at_the_digests(server, records, models):
    wanted = NOTHING._replace(base=parse("a"))
    assert planned(server, records, models, "m1", wanted, "a", "m1") == Findings(["from"], True)
    models["m1"]["item"]["digest"] = models["a"]["item"]["digest"]
    assert planned(server, records, models, "m1", wanted, "a", "m1") == SAME
    assert planned(server, records, models, "m1", wanted, "m1") == Findings([], False)
    assert planned(server, records, models, "m1", wanted, "a") == Findings(["from"], True)


def built(server, records, models, name, wanted, *installed, timeout=5):
    client = OllamaClient(HttpClient(server.url))
    return build(client, parse(name), wanted, listing(models, *installed), records(server.url), unheard, timeout)


def expect_listing(server, models, *names):
    server.expect("GET", "/api/tags", answer={"models": [models[name]["item"] for name in names]})


def test_building_from_a_model(server, records, models, tmp_path):
    server.expect("POST", "/api/create", models["m1"]["request"], lines=models["m1"]["lines"])
    expect_listing(server, models, "a", "m1")
    expect_show(server, models, "a", "m1")
    wanted = wanted_for(models["m1"]["request"])
    assert built(server, records, models, "m1", wanted, "a") == Built(models["m1"]["item"], {})
    assert not (tmp_path / "records").exists()


def test_building_a_copy(server, records, models):
    server.expect("POST", "/api/copy", {"source": "a:latest", "destination": "m1:latest"})
    models["m1"]["item"]["digest"] = models["a"]["item"]["digest"]
    expect_listing(server, models, "m1", "a")
    wanted = NOTHING._replace(base=parse("A"))
    assert built(server, records, models, "m1", wanted, "a") == Built(models["m1"]["item"], {})


def test_a_copy_that_is_not_proved(server, records, models):
    server.expect("POST", "/api/copy", {"source": "a:latest", "destination": "m1:latest"})
    expect_listing(server, models, "a", "m1")
    with pytest.raises(ApiError, match="said success to the creation of m1:latest, which still has another from"):
        built(server, records, models, "m1", NOTHING._replace(base=parse("a")), "a")


@pytest.mark.parametrize("names", [["a"], ["a", "m1"]])
def test_a_creation_that_is_not_proved(server, records, models, names):
    server.expect("POST", "/api/create", {**models["m1"]["request"], "system": "S"}, lines=models["m1"]["lines"])
    expect_listing(server, models, *names)
    if "m1" in names:
        expect_show(server, models, "a", "m1")
    wanted = wanted_for(models["m1"]["request"])._replace(system="S")
    field = "system" if "m1" in names else "from"
    with pytest.raises(ApiError) as failure:
        built(server, records, models, "m1", wanted, "a")
    assert failure.value.message == (
        f"{server.url} said success to the creation of m1:latest, which still has another {field} than wanted."
    )


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF weights")
    return path


WEIGHTS = "sha256:" + hashlib.sha256(b"GGUF weights").hexdigest()


def expect_build_from_files(server, models, uploads):
    server.expect("HEAD", f"/api/blobs/{WEIGHTS}", status=404 if uploads else 200)
    if uploads:
        server.expect("POST", f"/api/blobs/{WEIGHTS}", b"GGUF weights", status=201)
    body = {"model": "f16:latest", "files": {"m.gguf": WEIGHTS}, "stream": True}
    server.expect("POST", "/api/create", body, lines=models["f16"]["lines"])
    expect_listing(server, models, "f16")
    expect_show(server, models, "f16")


@pytest.mark.parametrize("call", [None, "has_blob", "upload_blob"])
def test_a_file_that_vanishes_after_it_was_read(server, records, models, weights, monkeypatch, call):
    gone = f"{weights} cannot be read any more: No such file or directory."
    if call:
        # It goes just before this call, or while the server copies it.
        original = getattr(OllamaClient, call)
        monkeypatch.setattr(OllamaClient, call, lambda *arguments: (weights.unlink(), original(*arguments))[1])
        server.expect("HEAD", f"/api/blobs/{WEIGHTS}", status=404)
    else:
        monkeypatch.setattr(custom_module, "_upload", lambda *_arguments: weights.unlink())
    with pytest.raises(ServiceError) as failure:
        built(server, records, models, "f16", NOTHING._replace(files=[str(weights)]))
    assert (failure.value.message, failure.value.hint) == (gone, "Check the file and who may read it.")


def test_building_from_files_is_remembered(server, records, models, weights):
    wanted = NOTHING._replace(files=[str(weights)])
    assert planned(server, records, models, "f16", wanted) == Findings(["files"], True)
    expect_build_from_files(server, models, uploads=True)
    assert built(server, records, models, "f16", wanted) == Built(models["f16"]["item"], {WEIGHTS: 12})
    expect_show(server, models, "f16")
    assert planned(server, records, models, "f16", wanted, "f16") == SAME
    weights.write_bytes(b"GGUF other weights")
    expect_show(server, models, "f16")
    assert planned(server, records, models, "f16", wanted, "f16") == Findings(["files"], True)


def test_without_a_record_only_building_tells(server, records, models, weights):
    wanted = NOTHING._replace(files=[str(weights)])
    expect_show(server, models, "f16")
    assert planned(server, records, models, "f16", wanted, "f16") == Findings([], False)
    expect_build_from_files(server, models, uploads=False)
    assert built(server, records, models, "f16", wanted, "f16").item["digest"] == models["f16"]["item"]["digest"]
    expect_show(server, models, "f16")
    assert planned(server, records, models, "f16", wanted, "f16") == SAME


def test_files_that_nothing_can_be_compared_with_are_not_read(server, records, models, weights):
    reports = []
    expect_show(server, models, "f16")
    planned(
        server,
        lambda url: records(url, lambda *line: reports.append(line)),
        models,
        "f16",
        NOTHING._replace(files=[str(weights)]),
        "f16",
    )
    assert reports == []


def test_a_record_of_another_digest_does_not_count(server, records, models, weights):
    wanted = NOTHING._replace(files=[str(weights)])
    expect_build_from_files(server, models, uploads=False)
    built(server, records, models, "f16", wanted)
    models["f16"]["item"]["digest"] = 64 * "0"
    expect_show(server, models, "f16")
    assert planned(server, records, models, "f16", wanted, "f16") == Findings([], False)


def test_a_directory_of_records_that_cannot_be_written_is_found_before_anything_is_sent(
    server, records, models, weights, tmp_path
):
    (tmp_path / "records").write_text("a file")
    with pytest.raises(Exception, match="cannot be recorded"):
        built(server, records, models, "f16", NOTHING._replace(files=[str(weights)]))


def test_an_adapter_is_sent_and_known_by_its_digest(server, records, models, tmp_path, monkeypatch):
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF adapter")
    digest = ADAPTER["/a.gguf"]
    monkeypatch.setattr(Records, "_digest", lambda *_arguments: digest)
    wanted = NOTHING._replace(base=parse("a"), adapters=[str(path)])
    server.expect("HEAD", f"/api/blobs/{digest}", status=404)
    server.expect("POST", f"/api/blobs/{digest}", b"GGUF adapter", status=201)
    server.expect("POST", "/api/create", models["adapted"]["request"], lines=models["adapted"]["lines"])
    expect_listing(server, models, "a", "adapted")
    expect_show(server, models, "a", "adapted")
    assert built(server, records, models, "adapted", wanted, "a").uploaded == {digest: 12}
    expect_show(server, models, "adapted", "a")
    assert planned(server, records, models, "adapted", wanted, "a", "adapted") == SAME


def test_a_quantized_model_is_remembered(server, records, models):
    wanted = wanted_for(models["quantized"]["request"])
    server.expect("POST", "/api/create", models["quantized"]["request"], lines=models["quantized"]["lines"])
    expect_listing(server, models, "f16", "quantized")
    expect_show(server, models, "f16", "quantized")
    built(server, records, models, "quantized", wanted, "f16")
    expect_show(server, models, "quantized", "f16")
    assert planned(server, records, models, "quantized", wanted, "f16", "quantized") == SAME


def test_quantizing_a_model_may_take_as_long_as_its_size_takes(server, records, models, monkeypatch):
    model = models["quantized"]
    monkeypatch.setattr(custom_module, "WORKED_BYTES_PER_SECOND", models["f16"]["item"]["size"] / 3)
    server.expect("POST", "/api/create", model["request"], lines=[server.wait(0.6), *model["lines"]])
    expect_listing(server, models, "f16", "quantized")
    expect_show(server, models, "f16", "quantized")
    wanted = wanted_for(model["request"])
    assert built(server, records, models, "quantized", wanted, "f16", timeout=0.2).item == model["item"]
