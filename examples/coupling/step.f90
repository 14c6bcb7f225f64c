! A host model in small: it owns LUH2's states and the land-use map, steps the emulator in its own time loop with
! arrays in memory, and prints the area of each class in each year as "year,code,km2".
!
! step <bundle> <start.nc> <luh2.raw> <state.nc>
!
! luh2.raw (made by prepare.py; native byte order, no record marks): int32 states, rows, columns, years; int32 year of
! each; float64 latitude of the rows and longitude of the columns; float32 [year][state][row][column].
module emulator
  use, intrinsic :: iso_c_binding
  implicit none

  ! emulator.h: each function answers 1, or 0 and says why on standard error.
  interface
    function ai4land_init(bundle, start, luh2_rows, luh2_columns, lat, lon, rows, columns) bind(C) result(done)
      import :: c_char, c_double, c_int
      character(kind=c_char), intent(in) :: bundle(*), start(*)
      integer(c_int), value :: luh2_rows, luh2_columns
      real(c_double), intent(in) :: lat(*), lon(*)
      integer(c_int), intent(out) :: rows, columns
      integer(c_int) :: done
    end function ai4land_init

    function ai4land_start(year, luh2, land_use, cell_area) bind(C) result(done)
      import :: c_double, c_float, c_int, c_int8_t
      integer(c_int), value :: year
      real(c_float), intent(in) :: luh2(*)
      integer(c_int8_t), intent(out) :: land_use(*)
      real(c_double), intent(out) :: cell_area(*)
      integer(c_int) :: done
    end function ai4land_start

    function ai4land_step(year, luh2, land_use) bind(C) result(done)
      import :: c_float, c_int, c_int8_t
      integer(c_int), value :: year
      real(c_float), intent(in) :: luh2(*)
      integer(c_int8_t), intent(out) :: land_use(*)
      integer(c_int) :: done
    end function ai4land_step

    function ai4land_finalise(state) bind(C) result(done)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: state(*)
      integer(c_int) :: done
    end function ai4land_finalise
  end interface

  interface
    subroutine leave(status) bind(C, name='exit')           ! as error stop, without its own lines
      import :: c_int
      integer(c_int), value :: status
    end subroutine leave
  end interface

end module emulator

program step
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: error_unit
  use emulator
  implicit none
  integer, parameter :: classes = 8                         ! codes 0 to 7 of the legend land_use
  integer(c_int) :: states, luh2_rows, luh2_columns, steps, rows, columns, n
  integer(c_int), allocatable :: years(:)
  real(c_double), allocatable :: lat(:), lon(:), cell_area(:)
  real(c_float), allocatable :: luh2(:, :, :, :)            ! Fortran's order: column, row, state, year
  integer(c_int8_t), allocatable :: land_use(:, :)          ! column, row

  call read_forcing(argument(3))
  call check(ai4land_init(argument(1), argument(2), luh2_rows, luh2_columns, lat, lon, rows, columns))
  allocate (land_use(columns, rows), cell_area(rows))
  call check(ai4land_start(years(1), luh2(:, :, :, 1), land_use, cell_area))
  print '(a)', 'year,code,km2'
  call print_areas(years(1))
  do n = 2, steps
    call check(ai4land_step(years(n), luh2(:, :, :, n), land_use))
    call print_areas(years(n))
  end do
  call check(ai4land_finalise(argument(4)))

contains

  function argument(number) result(text)
    integer, intent(in) :: number
    character(:), allocatable :: text
    integer :: length
    call get_command_argument(number, length=length)
    if (length == 0) call fail('usage: step <bundle> <start.nc> <luh2.raw> <state.nc>')
    allocate (character(length) :: text)
    call get_command_argument(number, text)
    text = text // c_null_char
  end function argument

  subroutine read_forcing(name)
    character(*), intent(in) :: name
    integer :: unit, status
    character(200) :: why
    open (newunit=unit, file=name(:len(name) - 1), access='stream', form='unformatted', status='old', action='read', &
          iostat=status, iomsg=why)
    if (status /= 0) call fail(why)
    read (unit, iostat=status) states, luh2_rows, luh2_columns, steps
    if (status == 0) then
      allocate (years(steps), lat(luh2_rows), lon(luh2_columns), luh2(luh2_columns, luh2_rows, states, steps))
      read (unit, iostat=status) years, lat, lon, luh2
    end if
    if (status /= 0) call fail('step: ' // name(:len(name) - 1) // ' is too short; prepare.py writes it.')
    close (unit)
  end subroutine read_forcing

  subroutine check(done)
    integer(c_int), intent(in) :: done
    if (done == 0) call leave(1)                            ! the library said why
  end subroutine check

  subroutine fail(text)
    character(*), intent(in) :: text
    write (error_unit, '(a)') trim(text)
    call leave(1)
  end subroutine fail

  subroutine print_areas(year)
    integer(c_int), intent(in) :: year
    real(c_double) :: area
    character(24) :: km2
    integer :: code, row
    do code = 0, classes - 1
      area = 0
      do row = 1, rows
        area = area + cell_area(row) * count(land_use(:, row) == code)
      end do
      write (km2, '(f24.3)') area
      print '(i0, ",", i0, ",", a)', year, code, trim(adjustl(km2))
    end do
  end subroutine print_areas

end program step
