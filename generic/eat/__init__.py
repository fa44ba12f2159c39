"""EAT, the network: enhanced deformable attention, layouts, presets, hosts, released weights."""

from __future__ import annotations

# Importing the registries and hybrid.py registers their models with timm.
import generic.eat.psvit_registry
import generic.eat.registry  # noqa: F401
from generic.eat.attention import DeformableAttention as DeformableAttention
from generic.eat.attention import Look as Look
from generic.eat.attention_maps import look as look
from generic.eat.config import EATConfig as EATConfig
from generic.eat.eat import EAT as EAT
from generic.eat.hybrid import EATLite as EATLite
from generic.eat.layouts import preset as preset
from generic.eat.layouts import stage_letters as stage_letters
from generic.eat.points import set_progress as set_progress
from generic.eat.psvit import PSViT as PSViT
