"""Residual Attention Network: trunk and mask branches, two presets in timm's registry."""

from __future__ import annotations

# Importing the registry registers its models with timm.
import generic.residual_attention.registry  # noqa: F401
from generic.residual_attention.config import ResidualAttentionConfig as ResidualAttentionConfig
from generic.residual_attention.residual_attention_network import (
    ResidualAttentionNetwork as ResidualAttentionNetwork,
)
