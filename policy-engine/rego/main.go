package main
import "github.com/open-policy-agent/opa/v1/rego"
func main(){ _ = rego.New() }
