"""How the tests draw their examples: the same ones in every run, or new ones with `--hypothesis-profile=explore`."""

from hypothesis import HealthCheck, settings

slow_on_purpose = [HealthCheck.too_slow]  # a busy machine is no reason to fail
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=slow_on_purpose)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=slow_on_purpose)
settings.load_profile("steady")
