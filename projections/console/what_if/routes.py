"""The pages of this screen."""

from __future__ import annotations

from typing import Final

from projections.console.what_if.acts import WhatIfActsController
from projections.console.what_if.draft_pages import DraftController
from projections.console.what_if.pages import WhatIfController

ROUTES: Final = (WhatIfController, DraftController, WhatIfActsController)
