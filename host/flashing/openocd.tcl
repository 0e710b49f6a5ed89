# Run by openocd.py after the interface and the target are configured. It sets:
#   images   name, file, address of each image, in one flat list
#   idcode, cpuid, options   addresses of the chip's and the core's identity and of the option register
#   dev_id   expected low 12 bits of the identity
#   shift, open_levels   the option register's RDP byte and the values of it that leave the flash open
#   force, dry_run   0 or 1
# What openocd.py needs to know is printed on lines that begin with "tinyconv".

proc tell {args} { echo "tinyconv [join $args]" }

proc read_word {address} {
    # OpenOCD 0.12 has read_memory, older ones have mrw.
    if {[catch {set words [read_memory $address 32 1]}]} { set words [mrw $address] }
    return [expr {[lindex $words 0]}]
}

proc holds {file address} { return [expr {![catch {verify_image $file $address bin}]}] }

init
halt
set got [read_word $idcode]
set core [read_word $cpuid]
tell cpuid [format 0x%08x $core]
tell idcode [format 0x%08x $got]
# an STM32F405 or F407 of revision A says 0x411, see chips.py
set got [expr {$got & 0xfff}]
if {$got == 0x411 && (($core >> 4) & 0xfff) == 0xc24} { set got 0x413 }
if {$got != $dev_id} { shutdown error }
set got [read_word $options]
tell options [format 0x%08x $got]
if {[lsearch -exact $open_levels [expr {($got >> $shift) & 0xff}]] < 0} { shutdown error }

reset init
set changed {}
foreach {name file address} $images {
    if {!$force && [holds $file $address]} {
        tell same $name
    } else {
        tell differs $name
        lappend changed $name $file $address
    }
}
if {!$dry_run} {
    foreach {name file address} $changed {
        tell writing $name
        flash write_image erase $file $address bin
    }
    # all of them: an erase may have taken more than it was asked to
    foreach {name file address} $images {
        tell verifying $name
        verify_image $file $address bin
        tell verified $name
    }
}
reset run
tell done
shutdown
