"""The decomposition table of Genie's exports: PyTorch's default table, less the composite ops that Genie keeps whole.

A composite (linear, attention, a norm, gelu ...) carries the meaning and has a fast kernel. What is not kept is normalised by
PyTorch's table: in-place ops become functional, `transpose` a permute, `reshape` a view, `to` a `_to_copy`.
"""

import torch

# One name keeps every overload of an op; `name.overload` keeps that one.
KEEP = """
linear matmul addmm bmm baddbmm einsum bilinear
scaled_dot_product_attention
layer_norm rms_norm group_norm instance_norm batch_norm
_native_batch_norm_legit_no_training native_layer_norm native_group_norm _fused_rms_norm
gelu silu mish hardswish hardsigmoid hardtanh relu6 leaky_relu elu selu celu prelu softplus
log_sigmoid glu sigmoid tanh relu
softmax.int log_softmax.int _softmax _log_softmax _safe_softmax
embedding embedding_bag.padding_idx _embedding_bag_forward_only one_hot
conv1d conv2d conv3d conv1d.padding conv2d.padding conv3d.padding
conv_transpose1d conv_transpose2d.input conv_transpose3d.input convolution
max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d
adaptive_max_pool1d adaptive_max_pool2d
upsample_nearest1d.vec upsample_nearest2d.vec upsample_bilinear2d.vec upsample_bicubic2d.vec
upsample_linear1d.vec upsample_trilinear3d.vec pixel_shuffle pixel_unshuffle
im2col col2im pad reflection_pad1d reflection_pad2d replication_pad2d
lstm.input gru.input rnn_tanh.input rnn_relu.input lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
cumsum topk sort stack tril triu where.self masked_fill.Scalar masked_fill.Tensor
addcmul addcdiv lerp.Scalar rsub.Scalar
index_copy index_put index_select index_add roll repeat_interleave.self_int
clamp clamp_min clamp_max std.correction var.correction norm.ScalarOpt_dim linalg_vector_norm
logsumexp cosine_similarity nan_to_num isin.Tensor_Tensor
_native_multi_head_attention _transformer_encoder_layer_fwd
stft istft
""".split()

# Rare ops that PyTorch's export keeps whole, and has decompositions for.
REPLACE = "grid_sampler_2d triu_indices tril_indices dist"


def table():
    """The table to pass to `ExportedProgram.run_decompositions`."""
    decompositions = torch.export.default_decompositions()
    replaced = [getattr(torch.ops.aten, name).default for name in REPLACE.split()]
    decompositions.update(torch._decomp.get_decompositions(replaced))
    for name in KEEP:
        packet_name, _, overload = name.partition(".")
        packet = getattr(torch.ops.aten, packet_name, None)
        if packet is None:  # an op that this release of PyTorch does not have
            continue
        for kept in [overload] if overload else packet.overloads():
            op = getattr(packet, kept, None)
            if op is not None:
                decompositions.pop(op, None)
    return decompositions
