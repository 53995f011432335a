# Packaging and deployment; the main Makefile includes this. Each target needs the virtual environment, and all
# but `package` and a dry run need AWS credentials where boto3 looks for them.
STAGE ?= prod
PYTHON ?= .venv/bin/python

.PHONY: package deploy rollback restart stripe-webhook smoke

package:  ## zip and template of STAGE in build/package/, no account needed
	$(PYTHON) -m infra.package --stage $(STAGE)

deploy:  ## put the present tree in place as STAGE; DRY_RUN=1 only prints the template
	$(PYTHON) -m infra.deploy deploy --stage $(STAGE) $(if $(DRY_RUN),--dry-run)

rollback:  ## put the release before the present one back; the table is never touched
	$(PYTHON) -m infra.deploy rollback --stage $(STAGE)

restart:  ## start every function afresh, so that it reads its secrets again
	$(PYTHON) -m infra.deploy restart --stage $(STAGE)

stripe-webhook:  ## register URL with Stripe and keep the secret in SSM; ROTATE=1 for a new secret
	$(PYTHON) -m infra.deploy stripe-webhook --stage $(STAGE) --url "$(URL)" $(if $(ROTATE),--rotate)

smoke:  ## ask URL/health
	$(PYTHON) -m infra.deploy smoke --url "$(URL)"
