"""The layers that come with par, each one object that wraps runs, model calls or tool calls."""

from par.limits import Allowance, BudgetBackend, Held, Limit, RateBackend, Reservation, Spending
from par.middleware._budget import Budget
from par.middleware._budget_backend import MemoryBudgetBackend
from par.middleware._cache import Cache
from par.middleware._chain import default_chain
from par.middleware._concurrency import Concurrency
from par.middleware._estimate import estimate_tokens
from par.middleware._fallback import Fallback
from par.middleware._log_format import CorrelationFilter, JsonFormatter
from par.middleware._logging import Logging
from par.middleware._permission_rules import Rule
from par.middleware._permissions import Permissions
from par.middleware._pii_cards import CardNumbers
from par.middleware._pii_detector import Detector, PatternDetector
from par.middleware._pii_email import Emails
from par.middleware._pii_iban import Ibans
from par.middleware._pii_ip import IpAddresses
from par.middleware._pii_mask import PiiMask
from par.middleware._pii_phone import PhoneNumbers
from par.middleware._pii_secrets import Secrets
from par.middleware._pii_ssn import SocialSecurityNumbers
from par.middleware._pii_vault import Vault
from par.middleware._prices import Price, PriceSource
from par.middleware._pricing import Pricing
from par.middleware._rate_limit import RateLimit
from par.middleware._rate_memory import MemoryRateBackend
from par.middleware._retry import Retry
from par.middleware._retry_budget import RetryBudget
from par.middleware._sanitize import Sanitize
from par.middleware._think_tags import ThinkTagStrip
from par.middleware._timeout import Timeout
from par.middleware._validation import Validation

__all__ = [
    "Allowance",
    "Budget",
    "BudgetBackend",
    "Cache",
    "CardNumbers",
    "Concurrency",
    "CorrelationFilter",
    "Detector",
    "Emails",
    "Fallback",
    "Held",
    "Ibans",
    "IpAddresses",
    "JsonFormatter",
    "Limit",
    "Logging",
    "MemoryBudgetBackend",
    "MemoryRateBackend",
    "PatternDetector",
    "Permissions",
    "PhoneNumbers",
    "PiiMask",
    "Price",
    "PriceSource",
    "Pricing",
    "RateBackend",
    "RateLimit",
    "Reservation",
    "Retry",
    "RetryBudget",
    "Rule",
    "Sanitize",
    "Secrets",
    "SocialSecurityNumbers",
    "Spending",
    "ThinkTagStrip",
    "Timeout",
    "Validation",
    "Vault",
    "default_chain",
    "estimate_tokens",
]
