package main
import "cuelang.org/go/cue/cuecontext"
func main(){ _ = cuecontext.New() }
