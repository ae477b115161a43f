"""Tiny random transformers of every family, made by the transformers package."""

import torch
import transformers as t


def randomize(model, seed):
    """Weights with some spread, so that every part of a layer shows in the result."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.copy_((1 if 'orm' in name and name.endswith('weight') and 'gemma' not in model.config.model_type
                             else 0) + 0.3 * noise)
        else:
            parameter.copy_(noise * (0.7 if 'embed' in name.lower() or 'relative' in name else 1.5 / parameter.shape[-1] ** .5))


def models(vocabulary=99):
    """Functions that make a model, by name."""
    bert = dict(vocab_size=vocabulary, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=80,
                max_position_embeddings=130)
    llama = dict(vocab_size=vocabulary, hidden_size=48, num_hidden_layers=3, num_attention_heads=6,
                 num_key_value_heads=2, intermediate_size=80, max_position_embeddings=2048, head_dim=16,
                 pad_token_id=None)
    return {
        'bert': lambda: t.BertModel(t.BertConfig(**bert)),
        'bert of odd sizes': lambda: t.BertModel(t.BertConfig(**dict(
            bert, hidden_size=60, num_attention_heads=3, intermediate_size=77, hidden_act='gelu_new',
            layer_norm_eps=1e-5, type_vocab_size=3))),
        'bert of one layer': lambda: t.BertModel(t.BertConfig(**dict(
            bert, num_hidden_layers=1, hidden_act='relu'))),
        'bert with long texts': lambda: t.BertModel(t.BertConfig(**dict(
            bert, max_position_embeddings=1600))),
        'distilbert': lambda: t.DistilBertModel(t.DistilBertConfig(
            vocab_size=vocabulary, dim=48, n_layers=3, n_heads=4, hidden_dim=80, max_position_embeddings=128)),
        'distilbert of sinusoids': lambda: t.DistilBertModel(t.DistilBertConfig(
            vocab_size=vocabulary, dim=64, n_layers=2, n_heads=2, hidden_dim=80, max_position_embeddings=128,
            sinusoidal_pos_embds=True, activation='relu')),
        'roberta': lambda: t.RobertaModel(t.RobertaConfig(**dict(bert, type_vocab_size=1, layer_norm_eps=1e-5))),
        'xlm-roberta': lambda: t.XLMRobertaModel(t.XLMRobertaConfig(**dict(
            bert, type_vocab_size=1, max_position_embeddings=800))),
        'camembert': lambda: t.CamembertModel(t.CamembertConfig(**dict(bert, type_vocab_size=1, pad_token_id=5))),
        'mpnet': lambda: t.MPNetModel(t.MPNetConfig(**dict(bert, max_position_embeddings=700))),
        'mpnet of another padding': lambda: t.MPNetModel(t.MPNetConfig(**dict(bert, pad_token_id=0))),
        'albert': lambda: t.AlbertModel(t.AlbertConfig(**dict(bert, embedding_size=24))),
        'albert of groups': lambda: t.AlbertModel(t.AlbertConfig(**dict(
            bert, embedding_size=48, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=1, hidden_act='gelu'))),
        'electra': lambda: t.ElectraModel(t.ElectraConfig(**dict(bert, embedding_size=24))),
        'llama': lambda: t.LlamaModel(t.LlamaConfig(**llama)),
        'llama with biases': lambda: t.LlamaModel(t.LlamaConfig(**dict(
            llama, attention_bias=True, mlp_bias=True, hidden_act='gelu', rms_norm_eps=1e-5, num_key_value_heads=6))),
        'llama 3': lambda: t.LlamaModel(t.LlamaConfig(**dict(llama, rope_parameters={
            'rope_type': 'llama3', 'rope_theta': 5000.0, 'factor': 8.0, 'low_freq_factor': 1.0, 'high_freq_factor': 4.0,
            'original_max_position_embeddings': 64}))),
        'llama stretched': lambda: t.LlamaModel(t.LlamaConfig(**dict(llama, rope_parameters={
            'rope_type': 'linear', 'rope_theta': 10000.0, 'factor': 4.0}))),
        'mistral': lambda: t.MistralModel(t.MistralConfig(**dict(llama, sliding_window=40))),
        'qwen2': lambda: t.Qwen2Model(t.Qwen2Config(**{k: v for k, v in llama.items() if k != 'head_dim'},
                                                     use_sliding_window=True, sliding_window=20, max_window_layers=1)),
        'qwen3': lambda: t.Qwen3Model(t.Qwen3Config(**dict(llama, head_dim=32))),
        'eurobert': lambda: t.EuroBertModel(t.EuroBertConfig(**dict(llama, pad_token_id=0))),
        'gemma3': lambda: t.Gemma3TextModel(t.Gemma3TextConfig(**dict(
            llama, sliding_window=16, use_bidirectional_attention=True, query_pre_attn_scalar=20, pad_token_id=0,
            layer_types=['sliding_attention', 'full_attention', 'sliding_attention']))),
        'gemma3 causal': lambda: t.Gemma3TextModel(t.Gemma3TextConfig(**dict(
            llama, sliding_window=16, pad_token_id=0))),
        'modernbert': lambda: t.ModernBertModel(t.ModernBertConfig(
            vocab_size=vocabulary, hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=80,
            local_attention=32, pad_token_id=0, cls_token_id=1, sep_token_id=2)),
        'modernbert with biases': lambda: t.ModernBertModel(t.ModernBertConfig(
            vocab_size=vocabulary, hidden_size=48, num_hidden_layers=2, num_attention_heads=2, intermediate_size=80,
            local_attention=8, pad_token_id=0, norm_bias=True, attention_bias=True, mlp_bias=True)),
        'nomic': lambda: t.NomicBertModel(t.NomicBertConfig(**dict(bert, max_position_embeddings=2048))),
        'gte': lambda: t.GteModel(t.GteConfig(**dict(bert, max_position_embeddings=2048))),
        'jina v3': lambda: t.JinaEmbeddingsV3Model(t.JinaEmbeddingsV3Config(**dict(bert, type_vocab_size=1))),
    }
