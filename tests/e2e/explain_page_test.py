"""The page of `geniec --explain=html`: complete, equal to `--explain --json`, of one piece, and drawn by a browser."""

import json
import re
import shutil
import subprocess

import pytest
import torch

import archives

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
HOSTILE_NAME = "<!--<script>&.pt2"  # as far as a file's name can try to leave the page's data


class TwoBranches(torch.nn.Module):
    """Two branches for two places, a head where the second is, and an input that both places read."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.image = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten())
        self.text = nn.Sequential(nn.Embedding(100, 32), nn.TransformerEncoderLayer(32, 4, 64, batch_first=True))
        self.head = nn.Linear(8 * 15 * 15 + 32, 5)

    def forward(self, pixels, tokens):
        return self.head(torch.cat([self.image(pixels), self.text(tokens).mean(1) * pixels.amax()], dim=1))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def explained(geniec, tmp_path_factory):
    """The text of a page of two places and two entries, and what `--explain --json` says of the same compile."""
    folder = tmp_path_factory.mktemp("page")
    args = (torch.randn(2, 3, 32, 32), torch.randint(0, 100, (2, 11)))
    archive = archives.of_module(folder, TwoBranches().requires_grad_(False), args)
    model = shutil.copy(archive.path, folder / HOSTILE_NAME)
    split = ("--place", "*=local:cpu1", "--place", "image.*=local:cpu0")
    done = geniec(
        model, f"--entry=again={archive.path}", "-o", folder / "m.gplan", *split, "--explain=json", f"--explain=html:{folder / 'page.html'}"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return (folder / "page.html").read_text(), json.loads(done.stdout)


def test_the_page_says_what_the_json_says(explained):
    page, report = explained
    data = data_of(page)
    assert data["explain"] == report["explain"] and HOSTILE_NAME in data["model"]
    assert [place["name"] for place in data["places"]] == [place["name"] for place in report["explain"]["places"]]
    assert [entry["name"] for entry in data["entries"]] == [entry["name"] for entry in report["explain"]["entries"]] == ["main", "again"]
    launches = [step for entry in data["entries"] for step in entry["instructions"] if step["kind"] in ("launch", "library_call")]
    assert len(launches) == report["launches"] and all(step["kernel"] and step["family"] and step["op_count"] > 0 for step in launches)
    assert {step["module"].split(".")[0] for step in launches} >= {"image", "text"}


def test_every_edge_is_sent_once_and_received_once(explained):
    data = data_of(explained[0])
    for entry, told in zip(data["entries"], data["explain"]["entries"], strict=True):
        crossing = [i for i, edge in enumerate(told["edges"]) if "caller" not in (edge["from"], edge["to"])]
        assert crossing and len(entry["edges"]) == len(told["edges"])
        for kind in ("send", "receive"):
            assert sorted(step["edge"] for step in entry["instructions"] if step["kind"] == kind) == crossing
        assert any(told["edges"][i]["producer"] == "" for i in crossing)  # the input, which the caller made
        assert not any("genie.transfer" in (edge["producer"], edge["consumer"]) for edge in told["edges"])


def test_the_timeline_is_that_of_lists_in_order(explained):
    data = data_of(explained[0])
    for entry in data["entries"]:
        for place in range(len(data["places"])):
            steps = [step for step in entry["instructions"] if step["place"] == place]
            assert all(before["end_ns"] == after["start_ns"] for before, after in zip(steps, steps[1:], strict=False))
        for step in entry["instructions"]:
            when = entry["edges"][step["edge"]] if "edge" in step else None
            assert step["kind"] != "send" or step["end_ns"] <= when["start_ns"] < when["end_ns"]
            assert step["kind"] != "receive" or step["end_ns"] >= when["end_ns"]
        assert entry["latency_ns"] == max(step["end_ns"] for step in entry["instructions"])
        kernels_ns = sum(step["end_ns"] - step["start_ns"] for step in entry["instructions"] if step["kind"] == "launch")
        told_ns = 1e6 * sum(place["predicted_ms"] for place in data["explain"]["places"])
        assert kernels_ns * len(data["entries"]) == pytest.approx(told_ns, rel=1e-6)


LINKED = """module attributes {
    genie.places = [{name = "a:cpu0", kind = "cpu"}, {name = "b:cpu0", kind = "cpu"}],
    genie.links = [{from = -1 : i64, to = 0 : i64, bytes_per_s = 1.0e9, latency_ns = 1000 : i64},
                   {from = 0 : i64, to = 1 : i64, bytes_per_s = 1.0e8, latency_ns = 2000 : i64}]} {
  func.func @main(%x: tensor<250xf32> {genie.input = "x"}, %y: tensor<500xf32> {genie.input = "y"})
      -> (tensor<250xf32> {genie.output = "u"}, tensor<500xf32> {genie.output = "v"}) {
    %0 = genie.relu %x {genie.place = 0 : i64} : (tensor<250xf32>) -> tensor<250xf32>
    %1 = genie.relu %y {genie.place = 0 : i64} : (tensor<500xf32>) -> tensor<500xf32>
    %2 = genie.exp %0 {genie.place = 1 : i64} : (tensor<250xf32>) -> tensor<250xf32>
    %3 = genie.exp %1 {genie.place = 1 : i64} : (tensor<500xf32>) -> tensor<500xf32>
    return %2, %3 : tensor<250xf32>, tensor<500xf32>
  }
}"""


def test_a_link_carries_one_after_another_the_callers_too(geniec, tmp_path):
    (tmp_path / "m.mlir").write_text(LINKED)
    done = geniec(tmp_path / "m.mlir", "-o", tmp_path / "m.gplan", f"--explain=html:{tmp_path / 'page.html'}")
    assert done.returncode == 0, done.stderr
    data = data_of((tmp_path / "page.html").read_text())
    edges = data["explain"]["entries"][0]["edges"]
    times = {(edge["from"], edge["bytes"]): when for edge, when in zip(edges, data["entries"][0]["edges"], strict=True)}
    assert times["caller", 1000] == {"start_ns": 0, "end_ns": 2000} and times["caller", 2000] == {"start_ns": 1000, "end_ns": 4000}
    sent = sorted((when for (source, _), when in times.items() if source == "a:cpu0"), key=lambda when: when["start_ns"])
    assert sent[0]["start_ns"] >= 4000 and sent[1]["start_ns"] == pytest.approx(sent[0]["end_ns"] - 2000)
    assert sent[1]["end_ns"] <= data["entries"][0]["latency_ns"]
    assert [edge["predicted_ms"] for edge in edges[:2]] == pytest.approx([0.002, 0.003])


def test_the_memory_curve_fills_what_the_plan_reserves(explained):
    data = data_of(explained[0])
    for place, reserved in enumerate(data["places"]):
        peaks = [max(live for _, live in entry["memory"][place]) for entry in data["entries"]]
        assert 0 < max(peaks) <= reserved["slab_bytes"]
        for entry in data["entries"]:
            own = [i for i, step in enumerate(entry["instructions"]) if step["place"] == place]
            assert [i for i, _ in entry["memory"][place]] == own


def test_the_page_loads_nothing_and_its_data_cannot_leave_its_element(explained):
    page = explained[0]
    assert not re.search(r"""\b(src|href)=|@import|url\(|https?://(?!www\.w3\.org/2000/svg")""", page)
    assert "default-src 'none'" in page and "<!--" not in page and len(re.findall("<script", page)) == 2


@pytest.mark.skipif(BROWSER is None, reason="no headless Chromium here")
def test_a_browser_draws_the_page_and_its_switches_work(explained, tmp_path):
    use = """<script>
      const fills = () => [...document.querySelectorAll("#timeline rect")].map(rect => rect.getAttribute("fill")).join();
      const byPlace = fills();
      document.querySelector("[value=phase]").click();
      document.documentElement.dataset.phase = fills() !== byPlace;
      for (const id of ["in", "out", "all", "open"]) document.getElementById(id).click();
      document.getElementById("entry").value = "1";
      document.getElementById("entry").dispatchEvent(new Event("change"));
      document.getElementById("open").click();
      document.querySelector("#timeline rect").dispatchEvent(new Event("mouseenter"));
      document.documentElement.dataset.leaves = document.querySelectorAll("#tree .leaf").length - 1;
    </script></body>"""
    catch = "<script>window.onerror = message => { document.documentElement.dataset.error = message; };</script></head>"
    page = tmp_path / "page.html"
    page.write_text(explained[0].replace("</head>", catch).replace("</body>", use))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    root = re.search(r"<html[^>]*>", done.stdout)[0]
    assert "data-error" not in root and 'data-state="drawn"' in root and 'data-phase="true"' in root
    entry = data_of(explained[0])["entries"][1]
    kernels = [step for step in entry["instructions"] if step["kind"] == "launch"]
    assert f'data-leaves="{len(kernels)}"' in root
    assert len(re.findall("<tr>", re.search(r'<table id="edges">.*?</table>', done.stdout, re.DOTALL)[0])) == 1 + len(entry["edges"])
    assert len(re.findall("<figure", done.stdout)) == 2 and re.search(r'id="detail"[^>]*>local:cpu[01]: ', done.stdout)


def test_there_is_no_page_without_a_plan(geniec, mlp, tmp_path):
    for option in ("--emit=plan", "--check", "--explain-semantics"):
        done = geniec(mlp.path, option, f"--explain=html:{tmp_path / 'page.html'}")
        assert done.returncode == 2 and "no page without a plan" in done.stderr and not (tmp_path / "page.html").exists()
    done = geniec(mlp.path, "-o", tmp_path / "m.gplan", f"--explain=html:{tmp_path / 'missing' / 'page.html'}")
    assert done.returncode == 1 and "missing/page.html" in done.stderr


def test_a_page_lies_beside_its_plan(geniec, mlp, tmp_path):
    done = geniec(mlp.path, "-o", tmp_path / "m.gplan", "--explain=html")
    assert done.returncode == 0 and done.stdout == "" and data_of((tmp_path / "m.html").read_text())["version"] == 1
    done = geniec(mlp.path, "-o", tmp_path / "m.gplan", "--explain=html:-")
    assert done.returncode == 0 and done.stdout.startswith("<!doctype html>")
    text = geniec(mlp.path, "-o", tmp_path / "m.gplan", "--explain").stdout
    assert text.startswith("place ") and text == geniec(mlp.path, "-o", tmp_path / "m.gplan", "--explain=text").stdout
    done = geniec(mlp.path, "-o", tmp_path / "m.gplan", "--explain=pdf")
    assert done.returncode == 2 and "text, json, html or html:FILE" in done.stderr and len(done.stderr.splitlines()) == 1
