# Thin aliases: each target does its own set-up from a bare checkout, then runs an npm script.
NODE_VERSION := 24.21.0
BIN := node_modules/.bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test stack-up stack-down stack-status check build image

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: node_modules/.setup ## install the pinned Node and dependencies into node_modules

# Run under Node 24 from the start: npm under an older Node silently picks older releases.
node_modules/.setup: package.json package-lock.json
	npx --yes --package=node@$(NODE_VERSION) -c 'npm ci --no-audit --no-fund --loglevel=error'
	@touch $@

demo: setup ## the tour on embedded parts: watch, sign, attest, verify
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent demo

test: setup ## everything that CI runs, on real servers
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm test --silent

check: setup ## types, lint, format, architecture, unused code
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run check

build: setup ## compile to dist/
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run build

image: setup ## build the image into .image/ without Docker; PUSH=HOST/PATH sends it to a registry
	@$(BIN)/node hack/image/build.ts $(if $(PUSH),--push $(PUSH))

stack-up: setup ## start the local stack of real servers (first time builds them); NODE=1: with a node and Tekton
	@$(BIN)/node hack/stack/up.ts $(if $(NODE),--node)

stack-down: setup ## stop the local stack
	@$(BIN)/node hack/stack/down.ts

stack-status: setup ## what runs, where, and whether it is healthy
	@$(BIN)/node hack/stack/status.ts
